"""Going on from finished files: what `export.py` wrote, as the modules that are trained.

The files are bf16, so a fresh run that starts from them starts a rounding away from where the last one ended.
"""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKLWan
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.families.wan.names import umt5_wan_to_hf, vae_native_to_diffusers
from training.model import TEXT_WIDTH, DemoFamily


def restore_vae(vae: AutoencoderKLWan, models: Path) -> None:
    """The VAE of a models folder into `vae`."""
    state = load_file(models / "vae" / "reelpatch_demo_vae.safetensors")
    vae.load_state_dict({vae_native_to_diffusers(name): tensor for name, tensor in state.items()})


def restore_family(family: DemoFamily, models: Path) -> None:
    """Base, edit module and text encoder of a models folder into `family`."""
    folder = models / "diffusion_models"
    state: dict[str, Tensor] = load_file(folder / "reelpatch_demo_t2v_bf16.safetensors")
    state["text_embedding.0.weight"] = state["text_embedding.0.weight"][:, :TEXT_WIDTH]
    module = load_file(folder / "reelpatch_demo_edit_module.safetensors")
    state |= {f"vace.{name}": tensor for name, tensor in module.items()}
    words = load_file(models / "text_encoders" / "reelpatch_demo_umt5.safetensors")
    state |= {f"text.{umt5_wan_to_hf(name)}": tensor for name, tensor in words.items()}
    state["text.encoder.embed_tokens.weight"] = state["text.shared.weight"]
    family.load_state_dict(state)
