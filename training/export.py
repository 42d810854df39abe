"""Stage 5: the trained weights as the files a user of the big models has: names, shapes, dtypes, folders."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.families.wan.names import umt5_hf_to_wan, vae_diffusers_to_native
from training.latents import Statistics
from training.model import TEXT_WIDTH, VACE_LAYERS, DemoFamily
from training.picture_model import FILE, PictureFamily
from training.words import build_tokenizer

WAN_TEXT_WIDTH = 4096
FLOAT8 = torch.float8_e4m3fn
ABOUT = {
    "format": "pt",
    "licence": "Apache-2.0",
    "model": "Reelpatch demo family, trained on procedural clips",
}


def write(tensors: dict[str, Tensor], path: Path, **metadata: str) -> None:
    """A safetensors file under its final name only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, {**ABOUT, **metadata}
    )
    temporary.replace(path)


def export_vae(vae: AutoencoderKLWan, statistics: Statistics, path: Path) -> None:
    """The VAE in native names, bf16, its latent statistics turned into the published ones of Wan2.1.

    Both 1x1x1 convolutions at the latent take in an affine map, so that code with the published mean and
    standard deviation wired in normalises these latents as they were normalised in training.
    """
    state = {name: tensor.detach().cpu().clone() for name, tensor in vae.state_dict().items()}
    published_mean = torch.tensor(vae.config["latents_mean"]).view(-1, 1, 1, 1)
    published_std = torch.tensor(vae.config["latents_std"]).view(-1, 1, 1, 1)
    scale = published_std / statistics.std
    shift = (published_mean - statistics.mean * scale).flatten()
    weight, bias = state["quant_conv.weight"], state["quant_conv.bias"]
    weight[:16] *= scale[..., None]
    bias[:16] = bias[:16] * scale.flatten() + shift
    back = state["post_quant_conv.weight"] / scale.view(1, -1, 1, 1, 1)
    state["post_quant_conv.bias"] -= back[:, :, 0, 0, 0] @ shift
    state["post_quant_conv.weight"] = back
    write({vae_diffusers_to_native(name): tensor.bfloat16() for name, tensor in state.items()}, path)


def export_family(family: DemoFamily, models: Path) -> None:
    """Base (bf16 and fp8), edit module and text encoder."""
    base = _transformer_of(family)
    folder = models / "diffusion_models"
    write(base, folder / "reelpatch_demo_t2v_bf16.safetensors")
    eighth = {name: tensor.to(FLOAT8) if _is_float8(name) else tensor for name, tensor in base.items()}
    write(eighth, folder / "reelpatch_demo_t2v_fp8_e4m3fn.safetensors")
    export_module(family, models)
    words = {
        umt5_hf_to_wan(name): t.bfloat16()
        for name, t in family.text.state_dict().items()
        if name != "encoder.embed_tokens.weight"
    }
    tokenizer = json.dumps(json.loads(build_tokenizer().to_str()))
    write(words, models / "text_encoders" / "reelpatch_demo_umt5.safetensors", tokenizer_json=tokenizer)


def export_module(family: DemoFamily, models: Path) -> None:
    """The edit module alone."""
    module = {name: tensor.detach().cpu().bfloat16() for name, tensor in family.vace.state_dict().items()}
    layers = {LAYERS_KEY: ",".join(map(str, VACE_LAYERS))}
    write(module, models / "diffusion_models" / "reelpatch_demo_edit_module.safetensors", **layers)


def export_picture_backbone(family: PictureFamily, models: Path) -> None:
    """The image-to-video transformer, in the form of those without a branch for a picture's embedding."""
    write(_transformer_of(family), models / "diffusion_models" / FILE)


def _transformer_of(family: DemoFamily) -> dict[str, Tensor]:
    """The transformer alone, bf16, its text width Wan's."""
    native = {
        n: t.detach().cpu() for n, t in family.state_dict().items() if not n.startswith(("text.", "vace."))
    }
    width = native["text_embedding.0.weight"].shape[0]
    columns = torch.zeros(width, WAN_TEXT_WIDTH - TEXT_WIDTH)
    native["text_embedding.0.weight"] = torch.cat([native["text_embedding.0.weight"], columns], dim=1)
    return {name: tensor.bfloat16() for name, tensor in native.items()}


def _is_float8(name: str) -> bool:
    """The matrices that published fp8 files store in fp8: attention, feed-forward and the output projection."""
    return name.endswith(".weight") and "norm" not in name and name.startswith(("blocks.", "head.head."))


def export_lora(tensors: dict[str, Tensor], path: Path) -> None:
    """The LoRA as the few-step LoRAs of Wan are published: `diffusion_model.` prefix, lora_down and lora_up."""
    renamed = {
        "diffusion_model."
        + name.replace("lora_A", "lora_down.weight").replace("lora_B", "lora_up.weight"): tensor
        for name, tensor in tensors.items()
    }
    write({name: tensor.bfloat16() for name, tensor in renamed.items()}, path)


def export_differences(changes: dict[str, Tensor], path: Path) -> None:
    """Whole differences of weights by the name of their layer, as LoRA files of Wan carry them: `diffusion_model.` and `.diff`."""
    write({f"diffusion_model.{name}.diff": change.bfloat16() for name, change in changes.items()}, path)
