"""Loads the backbone and the edit module from their weight files."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from torch import nn

from reelpatch.edits.work import ModuleWork
from reelpatch.errors import BadInput
from reelpatch.families.kinds import FileKind
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.layouts import is_of_module
from reelpatch.families.wan.names import native_to_diffusers
from reelpatch.headless.models.fill import Precision, fill, read_weights, set_factors
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.same_text import (
    compute_texts_once,
    text_layers_of_backbone,
    text_layers_of_module,
)
from reelpatch.headless.models.stored_layers import StoredOperations
from reelpatch.weights.header import Kind, KnownFile
from reelpatch.weights.weight_files import expect_weights

# What diffusers keeps in fp32 (its `_keep_in_fp32_modules`), under the native names.
_FP32 = frozenset({"time_embedding", "modulation", "norm3"})
# These layers are nearly all of the bytes; the rest is widened when loaded.
_STORED = re.compile(
    r"((vace_)?blocks\..*\.(q|k|v|o|k_img|v_img|ffn\.0|ffn\.2|before_proj|after_proj)|text_embedding\.[02]|time_projection\.1)"
    r"\.weight"
)


def load_backbone(
    path: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    device: torch.device | str = "cpu",
    kinds: Collection[FileKind] = (Kind.BACKBONE, Kind.VACE),
) -> WanTransformer3DModel:
    """A Wan backbone of any size and float dtype, in native or diffusers naming: text-to-video, or what else `kinds` has.

    One for image-to-video gets its branch for pictures, where the file has one. Of a file with a merged edit module the backbone alone is taken. `dtype` is what is computed in; fp8 weights,
    scaled or not, stay fp8 and are widened as they are used, and so are all of a large file on the CPU. Sizes come
    from the shapes, with heads 128 wide.

    Raises: `BadInput` for files of another kind, keys that do not fit, and weights that are not finite.
    """
    file = expect_weights(path, *kinds)
    width, num_channels = file.shape("patch_embedding.weight")[:2]
    if width % WAN.head_dim:
        raise BadInput(f"{path} is {width} wide, but heads are {WAN.head_dim} wide; use a multiple of that.")
    num_out = file.shape("head.head.bias")[0] // 4
    if file.kind is Kind.WIDE_BACKBONE and num_channels != num_out:
        raise BadInput(
            f"{path} is {file.words}, which reads {num_channels} channels and not the {num_out} of its latents: use "
            "wan2.2_ti2v_5B_fp16.safetensors."
        )
    with torch.device("meta"):
        model = WanTransformer3DModel(
            num_attention_heads=width // WAN.head_dim,
            attention_head_dim=WAN.head_dim,
            in_channels=num_channels,
            out_channels=num_out,
            text_dim=file.shape("text_embedding.0.weight")[1],
            freq_dim=file.shape("time_embedding.0.weight")[1],
            ffn_dim=file.shape("blocks.0.ffn.0.bias")[0],
            num_layers=file.count("blocks"),
            **_picture_branch(file),
        )
    # The rotary tables are computed, not stored in files, so they can't stay on the meta device.
    rope = model.rope
    model.rope = type(rope)(WAN.head_dim, rope.patch_size, rope.max_seq_len).to(device)
    fill(
        model,
        file,
        native_to_diffusers,
        precision=Precision(dtype, _FP32, _STORED),
        device=torch.device(device),
        ignored=frozenset(name for name in file.keys if is_of_module(name)),
    )
    compute_texts_once(text_layers_of_backbone(model))
    return model


def _picture_branch(file: KnownFile) -> dict[str, Any]:
    """diffusers' options for the branch by which image-to-video backbones look at the embedding of a picture."""
    if not file.has_picture_branch:
        return {}
    options = {
        "image_dim": file.shape("img_emb.proj.1.weight")[1],
        "added_kv_proj_dim": file.shape("blocks.0.cross_attn.k_img.weight")[0],
    }
    if "img_emb.emb_pos" in file.keys:
        options["pos_embed_seq_len"] = file.shape("img_emb.emb_pos")[1]
    return options


def load_module(
    path: Path,
    work: ModuleWork,
    *,
    dtype: torch.dtype = torch.bfloat16,
    device: torch.device | str = "cpu",
    lora: Path | None = None,
) -> nn.Module:
    """The edit module, as its kind of edit builds it, of a module file or of a merged backbone, with a LoRA at full strength if one is given.

    Raises: `BadInput` as `load_backbone`, and for a LoRA that fits no layer.
    """
    file = expect_weights(path, *work.module_kinds)
    precision = Precision(dtype, _FP32, _STORED)
    weights = read_weights(file, work.names_in(file), precision=precision, device=torch.device(device))
    module = work.load(weights.tensors, metadata=file.metadata, operations=StoredOperations, source=str(path))
    set_factors(module, weights.factors)
    compute_texts_once(text_layers_of_module(module))
    if lora is not None:
        apply_lora(module, lora)
    return module
