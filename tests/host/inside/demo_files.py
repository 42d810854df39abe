"""ComfyUI core's own loaders take the shipped files, and compute with them what the headless host computes."""

from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.sd
import comfy.utils
import folder_paths
import torch
from safetensors.torch import load_file

FOLDER = Path(folder_paths.base_path) / "demo_reference"
MODELS = Path(__file__).parents[3] / "reelpatch" / "headless" / "demo" / "models"


def equals_the_reference(name: str, tolerance: float, options: dict[str, Any]) -> None:
    inputs, made = (load_file(FOLDER / f"{file}.safetensors") for file in ("inputs", "made"))
    path = MODELS / "diffusion_models" / f"reelpatch_demo_t2v_{name}.safetensors"
    patcher = comfy.sd.load_diffusion_model(str(path), model_options=options)
    model = patcher.model
    assert type(model).__name__ == "WAN21", type(model)
    comfy.model_management.load_models_gpu([patcher])
    velocity = model.diffusion_model(
        inputs["latents"],
        inputs["timestep"],
        context=inputs["text"].to(inputs["latents"]),
        transformer_options={},
    )
    torch.testing.assert_close(velocity.float(), made[name], atol=tolerance, rtol=0)


def check_core_loads_the_backbone() -> None:
    equals_the_reference("bf16", 1e-4, {"dtype": torch.float32})


def check_core_loads_the_backbone_in_fp8() -> None:
    equals_the_reference("fp8_e4m3fn", 0.15, {})


def check_core_loads_the_vae() -> None:
    inputs, made = (load_file(FOLDER / f"{file}.safetensors") for file in ("inputs", "made"))
    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(MODELS / "vae" / "reelpatch_demo_vae.safetensors")))
    vae.throw_exception_if_invalid()
    encoded = vae.encode(inputs["frames"]).float()
    torch.testing.assert_close(encoded[0], made["encoded"], atol=0.05, rtol=0)
    decoded = vae.decode(encoded).float().reshape(made["decoded"].shape)
    torch.testing.assert_close(decoded, made["decoded"], atol=0.02, rtol=0)
