"""The weights of an edit adapter that do not change the backbone: embeddings of source, mask and reference.

Its LoRA goes onto the backbone as any other. Source: EasyV2V (arXiv 2512.16920), whose authors published no weights; what the
paper leaves open is recorded in docs/files.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from reelpatch.edits.adapter.layout import AdapterLayout
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN_5B_FAMILY
from reelpatch.families.wan.layouts import ADAPTER_PARTS
from reelpatch.weights.finite import is_finite
from reelpatch.weights.lora_keys import read_key

PATCH = (1, WAN_5B_FAMILY.lattice.patch_cells, WAN_5B_FAMILY.lattice.patch_cells)


class AdapterModule(nn.Module):
    """Three patch embeddings, which begin at zero, and the LoRA of the backbone's attention, under the names of its file."""

    def __init__(
        self,
        channels: int,
        width: int,
        layout: AdapterLayout | None = None,
        *,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        layers_cast: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.width, self.layout = channels, width, layout or AdapterLayout()
        self.lora: Mapping[str, Tensor] = {}
        self.layers_cast = layers_cast
        for part in ADAPTER_PARTS:
            layer = operations.Conv3d(
                channels, width, kernel_size=PATCH, stride=PATCH, device=device, dtype=dtype
            )
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
            self.add_module(f"{part}_embedding", layer)

    @classmethod
    def from_state_dict(
        cls,
        state_dict: Mapping[str, Tensor],
        *,
        metadata: Mapping[str, str] | None = None,
        operations: Any = nn,
        layers_cast: bool = False,
        source: str = "this edit adapter",
    ) -> AdapterModule:
        """The adapter whose parameters *are* the given tensors; `operations` and `layers_cast` are the host's.

        Raises: `BadInput` naming `source` and a key that is missing, unknown, of the wrong shape or not finite, and metadata that
        no layout has.
        """
        lora = {key: tensor for key, tensor in state_dict.items() if read_key(key) is not None}
        own = {key: tensor for key, tensor in state_dict.items() if key not in lora}
        first = own.get("source_embedding.weight")
        if first is None or first.ndim != 5:
            raise BadInput(
                f"{source} has no usable 'source_embedding.weight', so it is no edit adapter: choose another file."
            )
        width, channels = first.shape[:2]
        layout = AdapterLayout.of(metadata or {}, source)
        module = cls(channels, width, layout, operations=operations, device="meta", layers_cast=layers_cast)
        module.lora = lora
        _check_tensors(own, module.state_dict(), source)
        module.requires_grad_(False)
        module.load_state_dict(own, assign=True)
        return module.eval()

    def embed(self, part: str, latents: Tensor, like: Tensor) -> Tensor:
        """Tokens of latents `[C, T, h, w]` by the embedding of that part, `[1, N, D]`, on the device and in the dtype of `like`."""
        layer = cast("nn.Conv3d", self.get_submodule(f"{part}_embedding"))
        dtype = torch.float32 if self.layers_cast else layer.weight.dtype
        embedded = layer(latents.unsqueeze(0).to(like.device, dtype))
        return embedded.flatten(2).transpose(1, 2).to(like.dtype)


def _check_tensors(own: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    for what, keys in (("lacks", expected.keys() - own.keys()), ("holds", own.keys() - expected.keys())):
        if keys:
            raise BadInput(
                f"{source} {what} '{min(keys)}' ({len(keys)} such keys), which does not go with an edit adapter: "
                "use a file as docs/files.md has it."
            )
    for key, tensor in own.items():
        if tensor.shape != expected[key].shape:
            raise BadInput(
                f"{source} has '{key}' of shape {list(tensor.shape)} instead of {list(expected[key].shape)}: the file "
                "mixes two models, get it again."
            )
        if not is_finite(tensor):
            raise BadInput(f"{source} holds NaN or infinity in '{key}': the file is damaged, get it again.")
