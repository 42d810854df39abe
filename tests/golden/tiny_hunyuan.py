"""HunyuanVideo-1.5's models at a tiny size, with weights that are the same each time, and their files in every naming.

Each model is made once: whoever changes one takes a copy.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo15, HunyuanVideo15Transformer3DModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    Qwen2Config,
    Qwen2Model,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
)

from reelpatch.families.hunyuan15.names import FUSED, SWAPPED, TRANSFORMER_ROWS, VAE_ROWS

HEADS, BLOCKS, QWEN_LAYERS = 2, 3, 4
WIDTHS = {"text": 256, "glyphs": 1472, "pictures": 144}
VAE = {"block_out_channels": (32, 32, 64, 64, 64)}
QWEN = {"hidden_size": 256, "intermediate_size": 192, "num_attention_heads": 2, "num_key_value_heads": 1}
ORIGINAL, COMFY = 1, -1
"""Which of a row's names: those of the original files, or of ComfyUI's."""


def drawn(model: nn.Module, seed: int = 3) -> Any:
    """The model with weights of a size that keeps numbers near 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        is_scale = parameter.ndim == 1 and name.endswith("weight") and "norm" in name
        if is_scale or name.endswith("gamma"):
            parameter.data = 1 + 0.1 * torch.randn(parameter.shape, generator=generator)
        else:
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
            parameter.data = torch.randn(parameter.shape, generator=generator) / fan_in**0.5
    return model.eval().requires_grad_(False)


@cache
def transformer() -> HunyuanVideo15Transformer3DModel:
    return changed_transformer()


def changed_transformer(**changed: Any) -> HunyuanVideo15Transformer3DModel:
    """One of its own, with other of diffusers' options."""
    sizes = {
        "num_attention_heads": HEADS, "num_layers": BLOCKS, "text_embed_dim": WIDTHS["text"],
        "text_embed_2_dim": WIDTHS["glyphs"], "image_embed_dim": WIDTHS["pictures"],
    }  # fmt: skip
    return drawn(HunyuanVideo15Transformer3DModel(**sizes | changed))


@cache
def vae() -> AutoencoderKLHunyuanVideo15:
    return drawn(AutoencoderKLHunyuanVideo15(**VAE))


@cache
def qwen() -> Qwen2Model:
    """All of its layers, as files have them."""
    return drawn(
        Qwen2Model(
            Qwen2Config(vocab_size=512, num_hidden_layers=QWEN_LAYERS, head_dim=128, rope_theta=1e6, **QWEN)
        )
    )


@cache
def glyphs() -> T5EncoderModel:
    return drawn(
        T5EncoderModel(
            T5Config(
                vocab_size=1510,
                d_model=1472,
                d_kv=8,
                d_ff=32,
                num_layers=2,
                num_heads=2,
                feed_forward_proj="gated-gelu",
            )
        )
    )


@cache
def siglip() -> SiglipVisionModel:
    return drawn(
        SiglipVisionModel(
            SiglipVisionConfig(
                hidden_size=144,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=56,
                patch_size=14,
            )
        )
    )


def in_naming(state: Mapping[str, Tensor], which: int, *, fuses: bool) -> dict[str, Tensor]:
    """diffusers' tensors under other names; `fuses` puts queries, keys and values of blocks into one, as refiners have them always."""
    table = {row[0]: row[which] for row in (*TRANSFORMER_ROWS, *VAE_ROWS) if len(row) > 1}
    made: dict[str, Tensor] = {}
    for name, tensor in swapped(joined_layers(state, everywhere=fuses)).items():
        path, _, parameter = name.rpartition(".")
        numbers = [part for part in path.split(".") if part.isdigit()]
        first = numbers[0] if numbers else ""
        pattern = path.replace(f".{first}.", ".#.", 1) if numbers else path
        spelled = table.get(path) or table[pattern].replace("#", first)
        made[f"{spelled}.{parameter}"] = tensor.clone().contiguous()
    return made


def swapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: torch.cat(tensor.chunk(2)[::-1]) if name.rpartition(".")[0] == SWAPPED else tensor
        for name, tensor in state.items()
    }


def joined_layers(state: Mapping[str, Tensor], *, everywhere: bool) -> dict[str, Tensor]:
    made = dict(state)
    for whole, parts in FUSED.items():
        for name in [name for name in state if f".{parts[0]}." in name and (everywhere or "refiner" in name)]:
            names = [name.replace(f".{parts[0]}.", f".{part}.") for part in parts]
            made[name.replace(f".{parts[0]}.", f".{whole}.")] = torch.cat([made.pop(one) for one in names])
    return made


def write_models(folder: Path) -> Path:
    """A models folder of ComfyUI's layout with the files of the recipe capybara, under its names."""
    files = {
        "diffusion_models/capybara_v0.1": in_naming(transformer().state_dict(), COMFY, fuses=True),
        "vae/hunyuanvideo15_vae_fp16": in_naming(vae().state_dict(), COMFY, fuses=False),
        "text_encoders/qwen_2.5_vl_7b_fp8_scaled": qwen_file(),
        "text_encoders/byt5_small_glyphxl_fp16": {"shared.weight": glyphs().state_dict()["shared.weight"]}
        | {name: tensor for name, tensor in glyphs().state_dict().items() if "embed_tokens" not in name},
        "clip_vision/sigclip_vision_patch14_384": siglip_file(),
    }
    for name, tensors in files.items():
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.clone().contiguous() for key, tensor in tensors.items()}, path)
    write_tokenizer(folder / "text_encoders" / "qwen_2.5_vl_7b_fp8_scaled")
    return folder


def qwen_file() -> dict[str, Tensor]:
    state = {f"model.{name}": tensor for name, tensor in qwen().state_dict().items()}
    return state | {"visual.blocks.0.norm1.weight": torch.ones(8), "lm_head.weight": torch.ones(2, 2)}


def siglip_file() -> dict[str, Tensor]:
    state = siglip().state_dict()
    return {
        name if name.startswith("vision_model.") else f"vision_model.{name}": tensor
        for name, tensor in state.items()
        if not name.endswith("position_ids")
    }


def write_tokenizer(folder: Path) -> None:
    """One of bytes, with Qwen's marks of turns: the form of a real tokenizer.json, at a tiny size."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(mark) for mark in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
