"""Files are told apart by their headers, and damaged ones are refused in a sentence."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reelpatch.errors import BadInput
from reelpatch.weights.header import Kind, TensorInfo, expect, identify, read_header

_SHAPES: dict[Kind, dict[str, tuple[int, ...]]] = {
    Kind.BACKBONE: {
        "patch_embedding.weight": (8, 16, 1, 2, 2),
        "head.modulation": (1, 2, 8),
        "blocks.1.norm3.bias": (8,),
    },
    Kind.VACE: {
        "patch_embedding.weight": (8, 16, 1, 2, 2),
        "head.modulation": (1, 2, 8),
        "vace_patch_embedding.weight": (8, 96, 1, 2, 2),
    },
    Kind.IMAGE_BACKBONE: {"patch_embedding.weight": (8, 36, 1, 2, 2), "head.modulation": (1, 2, 8)},
    Kind.WIDE_BACKBONE: {"patch_embedding.weight": (8, 48, 1, 2, 2), "head.modulation": (1, 2, 8)},
    Kind.OTHER_BACKBONE: {
        "patch_embedding.weight": (8, 16, 1, 2, 2),
        "head.modulation": (1, 2, 8),
        "ref_conv.weight": (8, 16, 2, 2),
    },
    Kind.PART: {"blocks.3.modulation": (1, 6, 8), "blocks.4.self_attn.norm_k.weight": (8,)},
    Kind.EDIT_MODULE: {
        "vace_blocks.0.after_proj.weight": (8, 8),
        "vace_patch_embedding.weight": (8, 96, 1, 2, 2),
    },
    Kind.LORA: {"blocks.0.ffn.0.lora_A.weight": (2, 8), "blocks.0.ffn.0.lora_B.weight": (8, 2)},
    Kind.VAE21: {"decoder.head.0.gamma": (8, 1, 1, 1), "conv2.weight": (16, 16, 1, 1, 1)},
    Kind.VAE22: {"decoder.head.0.gamma": (8, 1, 1, 1), "conv2.weight": (48, 48, 1, 1, 1)},
    Kind.UMT5: {"token_embedding.weight": (9, 8), "blocks.0.pos_embedding.embedding.weight": (32, 2)},
    Kind.UNKNOWN: {"anything.weight": (2, 2)},
}
_FOREIGN: dict[Kind, dict[str, tuple[int, ...]]] = {
    Kind.BACKBONE: {
        "patch_embedding.weight": (8, 16, 1, 2, 2),
        "scale_shift_table": (1, 2, 8),
        "condition_embedder.time_proj.weight": (48, 8),
        "blocks.1.norm2.bias": (8,),
    },
    Kind.EDIT_MODULE: {"vace_blocks.0.proj_out.weight": (8, 8)},
    Kind.VAE21: {"decoder.norm_out.gamma": (8, 1, 1, 1), "post_quant_conv.weight": (16, 16, 1, 1, 1)},
    Kind.UMT5: {
        "shared.weight": (9, 8),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (32, 2),
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": (32, 2),
    },
}


def _save(path: Path, shapes: dict[str, tuple[int, ...]], prefix: str = "") -> Path:
    save_file({prefix + key: torch.zeros(shape, dtype=torch.bfloat16) for key, shape in shapes.items()}, path)
    return path


@pytest.mark.parametrize("kind", _SHAPES)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_kinds_are_told_from_native_keys(tmp_path: Path, kind: Kind, prefix: str) -> None:
    file = identify(_save(tmp_path / "x.safetensors", _SHAPES[kind], prefix))
    assert file.kind is kind
    assert file.dtypes == {"BF16"}


@pytest.mark.parametrize("kind", _FOREIGN)
def test_kinds_are_told_from_diffusers_and_hf_keys(tmp_path: Path, kind: Kind) -> None:
    file = identify(_save(tmp_path / "x.safetensors", _FOREIGN[kind]))
    assert file.kind is kind
    assert sorted(file.keys.values()) == sorted(_FOREIGN[kind])
    assert not set(file.keys) & (set(_FOREIGN[kind]) - {"patch_embedding.weight"})


def test_a_file_answers_by_native_name(tmp_path: Path) -> None:
    file = identify(_save(tmp_path / "x.safetensors", _FOREIGN[Kind.BACKBONE], "model."))
    assert file.keys["blocks.1.norm3.bias"] == "model.blocks.1.norm2.bias"
    assert file.shape("head.modulation") == (1, 2, 8)
    assert (file.count("blocks"), file.count("vace_blocks")) == (2, 0)
    assert not file.is_scaled
    with pytest.raises(BadInput, match=r"lacks head\.head\.weight"):
        file.shape("head.head.weight")


def test_the_header_gives_shapes_dtypes_bytes_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(3, 5, dtype=torch.float8_e4m3fn)}, path, metadata={"who": "me"})
    assert read_header(path) == ({"a": TensorInfo("F8_E4M3", (3, 5), 15)}, {"who": "me"})


def test_scaled_files_are_noticed(tmp_path: Path) -> None:
    shapes = _SHAPES[Kind.BACKBONE] | {"blocks.0.ffn.0.scale_weight": (1,)}
    assert identify(_save(tmp_path / "x.safetensors", shapes)).is_scaled


def test_a_wrong_file_is_told_what_it_is_and_where_it_belongs(tmp_path: Path) -> None:
    path = _save(tmp_path / "ditto.safetensors", _SHAPES[Kind.LORA])
    with pytest.raises(BadInput) as error:
        expect(path, Kind.EDIT_MODULE, Kind.VACE)
    for part in ("ditto.safetensors is a LoRA", "'loras'", "a VACE edit module", "needed"):
        assert part in str(error.value)
    assert expect(path, Kind.LORA).kind is Kind.LORA
