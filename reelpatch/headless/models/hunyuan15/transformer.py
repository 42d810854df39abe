"""Loads a HunyuanVideo-1.5 transformer into diffusers' class, from files in any naming."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import HunyuanVideo15Transformer3DModel
from torch import Tensor, nn

from reelpatch.errors import BadInput
from reelpatch.families.hunyuan15.counts import HunyuanCounts
from reelpatch.families.hunyuan15.family import HUNYUAN_15
from reelpatch.families.hunyuan15.names import DIFFUSERS, FUSED, SWAPPED
from reelpatch.families.kinds import FileKind
from reelpatch.headless.hosts.hunyuan15_host import JointAttention
from reelpatch.headless.models.fill import Homes, Precision, fill
from reelpatch.weights.weight_files import expect_weights

# Nearly all of the bytes; the rest is widened when loaded.
_STORED = re.compile(
    r"transformer_blocks\.\d+\.(attn\.(to|add)_.*|ff(_context)?\.net\..*|norm1(_context)?\.linear)\.weight"
)


def load_backbone(
    path: Path, *, dtype: torch.dtype, device: torch.device, kinds: Collection[FileKind]
) -> HunyuanVideo15Transformer3DModel:
    """A transformer of any size and float dtype, in the original naming, ComfyUI's or diffusers', with heads 128 wide.

    fp8 weights, scaled or not, stay fp8 and are widened as they are used, and so are all of a large file on the CPU.

    Raises: `BadInput` for files of another kind, keys that do not fit, weights that are not finite, and transformers that no
        edit here is made for.
    """
    file = expect_weights(path, *kinds)
    sizes, head_dim, channels = (
        HunyuanCounts().backbone(file),
        HUNYUAN_15.head_dim,
        HUNYUAN_15.lattice.channels,
    )
    if sizes.has_mean_flow:
        raise BadInput(
            f"{path} is {file.words}, which is told where each step leads to and is run in ComfyUI alone: use a file without, such "
            "as capybara_v0.1.safetensors."
        )
    if (sizes.in_channels, sizes.out_channels) != (2 * channels + 1, channels) or sizes.dim % head_dim:
        raise BadInput(
            f"{path} is {file.words}, {sizes.dim} wide for {sizes.in_channels} channels, where a multiple of {head_dim} and "
            f"{2 * channels + 1} (noise, source and mask) are expected: use a complete, unchanged file."
        )
    with torch.device("meta"):
        model = HunyuanVideo15Transformer3DModel(
            num_attention_heads=sizes.dim // head_dim,
            attention_head_dim=head_dim,
            num_layers=sizes.num_blocks,
            num_refiner_layers=sizes.num_refiners,
            text_embed_dim=sizes.text_dim,
            text_embed_2_dim=sizes.glyph_dim,
            image_embed_dim=sizes.vision_dim,
        )
    fill(model, file, home, precision=Precision(dtype, stored=_STORED), device=device)
    if file.naming != DIFFUSERS:
        _swap_halves(model.get_submodule(SWAPPED))
    for block in model.transformer_blocks:
        cast(Any, block).attn.set_processor(JointAttention())
    model.time_embed.timestep_embedder.register_forward_pre_hook(_as_its_weights)
    return model


def home(native: str) -> Homes:
    """Where a tensor goes in diffusers' class; a matrix that stands for three layers goes to all of them."""
    for layer, parts in FUSED.items():
        before, found, after = native.partition(f".{layer}.")
        if found:
            return tuple(f"{before}.{part}.{after}" for part in parts)
    return native


def _swap_halves(layer: nn.Module) -> None:
    """diffusers' last modulation has its scale first, the others their shift."""
    for parameter in layer.parameters():
        parameter.data = torch.cat(parameter.data.chunk(2)[::-1])


def _as_its_weights(embedder: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Times are told in fp32 and only their waves are rounded: in bf16, 995.9 would be 996."""
    return inputs[0].to(embedder.linear_1.weight.dtype), *inputs[1:]
