"""What the headless host computes with the shipped files, from inputs that lie beside it: for ComfyUI core's own loaders to equal."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from reelpatch.clips.frames import as_clip, as_video
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.wan_host import Moment, predict_velocity
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.headless.models.wan_vae import load_vae
from reelpatch.recipes import recipe

FOLDER = "demo_reference"
BACKBONES = ("bf16", "fp8_e4m3fn")


@torch.no_grad()
def write(folder: Path) -> None:
    """Inputs and results, below `folder`."""
    place = folder / FOLDER
    place.mkdir()
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "latents": torch.randn(1, 16, 3, 8, 8, generator=generator),
        "timestep": torch.tensor([750.0]),
        "text": torch.cat([torch.randn(1, 6, 4096, generator=generator), torch.zeros(1, 506, 4096)], dim=1),
        "frames": torch.from_numpy(scenes.example(scenes.HELD_OUT).source).contiguous(),
    }
    save_file(inputs, place / "inputs.safetensors")
    files = Editor(recipe("demo")).files
    made = {}
    for name in BACKBONES:
        path = files.backbone.with_name(f"reelpatch_demo_t2v_{name}.safetensors")
        backbone = load_backbone(path, dtype=torch.float32)
        moment = Moment(0.75, 0, 4, (True,))
        made[name] = predict_velocity(backbone, inputs["latents"], inputs["text"], moment=moment).float()
    vae, video = load_vae(files.vae), as_video(inputs["frames"])
    made["encoded"] = vae.encode(video) * vae._std + vae._mean
    made["decoded"] = as_clip(vae.decode(vae.encode(video)))
    save_file({name: tensor.contiguous() for name, tensor in made.items()}, place / "made.safetensors")
