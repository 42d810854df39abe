"""The edit module of VACE: a second, smaller stack of blocks that reads a context and adds hints to the main stream.

The stack runs in lockstep with the main blocks, so that one stream and one hint are alive for each context
(running it ahead, as the reference does, keeps every hint: 8 x 303 MB for 73 frames of 832x480 at 14B in bf16).
Source: Wan2.1 and VACE, `wan/modules/vace_model.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from reelpatch.errors import BadInput
from reelpatch.families.wan.block import WanBlock
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.sizes import WITH_VACE
from reelpatch.weights.finite import CHECKED_BYTES, is_finite

PATCH = (1, WAN.lattice.patch_cells, WAN.lattice.patch_cells)  # latent frames, rows and columns of a token
LAYERS_KEY = "reelpatch.vace_layers"
"""File metadata: the main blocks that hints follow, such as "0,2,4,6"."""

# (width, number of VACE blocks) -> the main blocks they hang on.
PUBLISHED_LAYERS = {(size.dim, size.num_vace_blocks): size.vace_layers for size in WITH_VACE}


class VaceBlock(WanBlock):
    """A Wan block that ends in a hint; the first one also takes in the main stream's tokens."""

    def __init__(self, dim: int, ffn_dim: int, num_heads: int, *, is_first: bool, **options: Any) -> None:
        super().__init__(dim, ffn_dim, num_heads, **options)
        operations = options.get("operations", nn)
        factory = {name: options.get(name) for name in ("device", "dtype")}
        if is_first:
            self.before_proj = operations.Linear(dim, dim, **factory)
        self.after_proj = operations.Linear(dim, dim, **factory)


@dataclass(frozen=True)
class VaceConfig:
    """The sizes of an edit module; `layers` are the main blocks after which its hints are added."""

    dim: int
    ffn_dim: int
    num_heads: int
    layers: tuple[int, ...]
    context_channels: int = 96

    def __post_init__(self) -> None:
        if self.dim % self.num_heads:
            raise BadInput(f"{self.num_heads} heads do not divide this edit module's width of {self.dim}.")
        if not self.layers or list(self.layers) != sorted(set(self.layers)) or self.layers[0] < 0:
            raise BadInput(
                f"the VACE layers {list(self.layers)} are not rising block numbers; "
                f"give them as in the model's config, such as 0,5,10."
            )


class VaceModule(nn.Module):
    """The weights of a VACE edit, under their native names (`vace_patch_embedding`, `vace_blocks.i`).

    `options` are how a host makes layers: those of `WanBlock`, which refuses others.
    """

    def __init__(self, config: VaceConfig, **options: Any) -> None:
        super().__init__()
        self.config = config
        self.layers_cast = options.get("layers_cast", False)
        self.vace_patch_embedding = options.get("operations", nn).Conv3d(
            config.context_channels,
            config.dim,
            kernel_size=PATCH,
            stride=PATCH,
            device=options.get("device"),
            dtype=options.get("dtype"),
        )
        self.vace_blocks = nn.ModuleList(
            VaceBlock(config.dim, config.ffn_dim, config.num_heads, is_first=i == 0, **options)
            for i in range(len(config.layers))
        )

    @classmethod
    def from_state_dict(  # noqa: PLR0913 -- what a file holds, and what the host has for it
        cls,
        state_dict: Mapping[str, Tensor],
        *,
        beside: Mapping[str, Tensor] | None = None,
        metadata: Mapping[str, str] | None = None,
        layers: Sequence[int] | None = None,
        num_heads: int | None = None,
        operations: Any = nn,
        layers_cast: bool = False,
        source: str = "this edit module",
    ) -> VaceModule:
        """The module whose parameters *are* the given tensors: nothing is copied, cast or moved.

        Sizes come from the tensors' shapes; heads are 128 wide unless `num_heads` says otherwise. `layers` come
        from the caller, else the metadata, else the published 14B and 1.3B models. `operations` and `layers_cast`
        are the host's, as in `WanBlock`; `beside` is what those layers read with their weights: factors of scaled fp8.

        Raises: `BadInput` naming `source` and a key that is missing, unknown, of the wrong shape or, in modules up to
        2 GiB, not finite.
        Cost: those are read once for it; of larger ones nothing is read.
        """
        config = _config_of(state_dict, _asked_layers(layers, metadata, source), num_heads, source)
        _check_keys(state_dict, cls(config, device="meta").state_dict(), source)
        is_checked = sum(tensor.nbytes for tensor in state_dict.values()) <= CHECKED_BYTES
        for key, tensor in state_dict.items():
            if is_checked and not (tensor.is_meta or is_finite(tensor)):
                raise BadInput(
                    f"{source} holds NaN or infinity in '{key}': the file is damaged, get it again."
                )
        # Layers that read more than a weight may take it to the device they were made for, so that one has to be real.
        device = "cpu" if beside else "meta"
        module = cls(config, operations=operations, device=device, layers_cast=layers_cast)
        module.requires_grad_(False)
        module.load_state_dict({**state_dict, **(beside or {})}, assign=True)
        return module.eval()

    def block(self, position: int) -> VaceBlock:
        """The edit block that runs after main block `config.layers[position]`."""
        return cast("VaceBlock", self.vace_blocks[position])

    def embed(self, context: Tensor, like: Tensor) -> Tensor:
        """Tokens of a context, `[96, T, h, w]` -> `[1, N, D]`, on the device and in the dtype of `like`."""
        dtype = torch.float32 if self.layers_cast else self.vace_patch_embedding.weight.dtype
        embedded = self.vace_patch_embedding(context.unsqueeze(0).to(like.device, dtype))
        return embedded.flatten(2).transpose(1, 2).to(like.dtype)


def _asked_layers(
    layers: Sequence[int] | None, metadata: Mapping[str, str] | None, source: str
) -> tuple[int, ...] | None:
    if layers is not None:
        return tuple(layers)
    text = (metadata or {}).get(LAYERS_KEY)
    if text is None:
        return None
    try:
        return tuple(int(layer) for layer in text.split(","))
    except ValueError:
        raise BadInput(
            f"{source} says '{text}' under '{LAYERS_KEY}' in its metadata, where block numbers such as 0,2,4 "
            f"were expected: correct the metadata."
        ) from None


def _config_of(
    state_dict: Mapping[str, Tensor], layers: tuple[int, ...] | None, num_heads: int | None, source: str
) -> VaceConfig:
    num_blocks = len({key.split(".")[1] for key in state_dict if key.startswith("vace_blocks.")})
    for key, num_axes in (("vace_patch_embedding.weight", 5), ("vace_blocks.0.ffn.0.weight", 2)):
        if key not in state_dict or state_dict[key].ndim != num_axes:
            raise BadInput(
                f"{source} has no usable '{key}', so it is not a VACE edit module: choose another file."
            )
    dim, channels = state_dict["vace_patch_embedding.weight"].shape[:2]
    ffn_dim = state_dict["vace_blocks.0.ffn.0.weight"].shape[0]
    layers = layers or PUBLISHED_LAYERS.get((dim, num_blocks))
    if layers is None:
        raise BadInput(
            f"{source} has {num_blocks} VACE blocks of width {dim}, which is neither the 14B nor the 1.3B model: "
            f"say which main blocks they belong to ('{LAYERS_KEY}' in its metadata)."
        )
    if len(layers) != num_blocks:
        raise BadInput(
            f"{source} has {num_blocks} VACE blocks, but {len(layers)} layers were named for them "
            f"({', '.join(map(str, layers))}): name one for each block."
        )
    return VaceConfig(dim, ffn_dim, num_heads or max(1, dim // WAN.head_dim), layers, channels)


def _check_keys(state_dict: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    missing = sorted(expected.keys() - state_dict.keys())
    if missing:
        raise BadInput(f"{source} lacks '{missing[0]}' ({len(missing)} keys missing): get the complete file.")
    unknown = sorted(state_dict.keys() - expected.keys())
    if unknown:
        raise BadInput(
            f"{source} holds '{unknown[0]}' ({len(unknown)} such keys), which is no part of a VACE edit module: "
            f"choose a file with vace_ keys alone."
        )
    for key, tensor in state_dict.items():
        if tensor.shape != expected[key].shape:
            raise BadInput(
                f"{source} has '{key}' of shape {list(tensor.shape)} instead of {list(expected[key].shape)}: "
                f"the file mixes two models, get it again."
            )
