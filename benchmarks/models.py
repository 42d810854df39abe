"""The same random weights three times: a backbone, diffusers' class with its edit module merged in, and ours.

Weights are never zero, because zeros compute faster than numbers do on hardware that saves power with them.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import WanTransformer3DModel, WanVACETransformer3DModel
from torch import Tensor, nn

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceModule
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.names import diffusers_to_native
from reelpatch.families.wan.sizes import WAN_14B
from reelpatch.headless.hosts.wan_host import predict_velocity

CONTEXT_CHANNELS, LATENT_CHANNELS, TEXT_ROWS, TEXT_DIM = 96, 16, 512, 4096
_IN_FP32 = ("time_embedder", "scale_shift_table", "norm2")  # as diffusers keeps them
_SIGMA = 0.625


@dataclass(frozen=True)
class Sizes:
    """Of backbone and edit module."""

    dim: int
    ffn_dim: int
    num_layers: int
    layers: tuple[int, ...]


TINY = Sizes(256, 768, 4, (0, 2))
SMALL = Sizes(512, 1536, 8, (0, 2, 4, 6))
FULL = Sizes(WAN_14B.dim, WAN_14B.ffn_dim, WAN_14B.num_blocks, WAN_14B.vace_layers)


@dataclass(frozen=True)
class Inputs:
    """One sample: latents [1, 16, T, h, w], text [1, 512, 4096], context [96, T, h, w]."""

    latents: Tensor
    text: Tensor
    context: Tensor


@dataclass(frozen=True)
class Contenders:
    """All hold the same tensors; diffusers' merged class may be left out."""

    backbone: WanTransformer3DModel
    merged: WanVACETransformer3DModel | None
    module: VaceModule
    dtype: torch.dtype
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @torch.no_grad()
    def ours(self, given: Inputs) -> Tensor:
        """The velocity by our edit on the backbone."""
        edit = VaceEdit(self.module, [VaceContext(given.context)])
        moment = Moment(_SIGMA, 0, 4, (True,))
        return predict_velocity(self.backbone, given.latents, given.text, moment=moment, edits=[edit])

    @torch.no_grad()
    def theirs(self, given: Inputs) -> Tensor:
        """The velocity by diffusers' own class."""
        assert self.merged is not None
        return self.merged(
            hidden_states=given.latents.to(self.dtype),
            timestep=torch.full((1,), 1000 * _SIGMA, device=self.device),
            encoder_hidden_states=given.text.to(self.dtype),
            control_hidden_states=given.context[None].to(self.dtype),
            return_dict=False,
        )[0]


def make_contenders(sizes: Sizes, *, device: torch.device, dtype: torch.dtype, seed: int = 0) -> Contenders:
    """Seeded weights on the device, held once."""
    common: dict[str, Any] = {
        "num_attention_heads": sizes.dim // WAN.head_dim,
        "attention_head_dim": WAN.head_dim,
        "ffn_dim": sizes.ffn_dim,
        "num_layers": sizes.num_layers,
    }
    with torch.device("meta"):
        backbone = WanTransformer3DModel(**common)
        merged = WanVACETransformer3DModel(
            **common, vace_layers=list(sizes.layers), vace_in_channels=CONTEXT_CHANNELS
        )
    generator = torch.Generator(device).manual_seed(seed)
    state = {
        key: _random(key, tensor, generator, device, dtype) for key, tensor in merged.state_dict().items()
    }
    _hold(merged, state, device)
    _hold(backbone, {key: state[key] for key in backbone.state_dict()}, device)
    named = {diffusers_to_native(key): tensor for key, tensor in state.items()}
    of_module = {name: tensor for name, tensor in named.items() if name.startswith("vace_")}
    module = VaceModule.from_state_dict(of_module, layers=sizes.layers)
    return Contenders(backbone, merged, module, dtype, device)


def make_inputs(
    frames: int, rows: int, columns: int, *, device: torch.device, dtype: torch.dtype, seed: int = 1
) -> Inputs:
    """Seeded numbers; sizes are those of latents."""
    generator = torch.Generator(device).manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    text = torch.zeros(1, TEXT_ROWS, TEXT_DIM, device=device)
    text[:, :60] = draw(1, 60, TEXT_DIM)
    return Inputs(
        draw(1, LATENT_CHANNELS, frames, rows, columns),
        text.to(dtype),
        draw(CONTEXT_CHANNELS, frames, rows, columns),
    )


def _random(
    key: str, like: Tensor, generator: torch.Generator, device: torch.device, dtype: torch.dtype
) -> Tensor:
    kept = torch.float32 if any(part in key for part in _IN_FP32) else dtype
    spread = like[0].numel() ** -0.5 if like.ndim > 1 and "table" not in key else 0.1
    noise = torch.empty(like.shape, device=device, dtype=kept).normal_(0, spread, generator=generator)
    return noise.add_(1) if "norm" in key and key.endswith("weight") else noise


def _hold(model: nn.Module, state: dict[str, Tensor], device: torch.device) -> None:
    model.load_state_dict(state, assign=True)
    model.requires_grad_(False).eval()
    # Rotary tables are computed, not loaded.
    rope: Any = model.rope
    model.rope = type(rope)(WAN.head_dim, rope.patch_size, rope.max_seq_len).to(device)
