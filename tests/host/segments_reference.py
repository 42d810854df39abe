"""Tiny weights of a text-to-video Wan, and what the headless host makes with Bernini-R's segments and guidance: for ComfyUI to equal."""

from __future__ import annotations

import inspect
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.segments.work import SegmentsWork
from reelpatch.edits.work import EditSettings, Material
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.names import diffusers_to_native
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.recipes import recipe
from reelpatch.sampling.solvers import sample_flow_euler
from tests.golden import tiny_wan
from tests.host.tiny_values import draw, text

FOLDER = "segments_reference"
FRAMES, SIZE = 9, (32, 48)  # 3 latent frames of 4 x 6 cells
SIGMAS = torch.tensor([1.0, 0.9, 0.7, 0.4, 0.0])
CASES: dict[str, tuple[str, int]] = {
    "a clip": ("bernini-r-1.3b", 0),
    "a clip and references": ("bernini-r-1.3b", 2),
    "a reference": ("bernini-r-1.3b-r2v", 1),
    "more references than were trained": ("bernini-r-1.3b-r2v", 7),
}
"""By name: the recipe, and how many references are given."""
_OF_VAE = inspect.signature(AutoencoderKLWan.__init__).parameters
MEAN, STD = _OF_VAE["latents_mean"].default, _OF_VAE["latents_std"].default
_SIZES = {
    **{"num_attention_heads": 1, "attention_head_dim": 128, "text_dim": 4096, "freq_dim": 256},
    **{"in_channels": 16, "out_channels": 16, "num_layers": 4},
}


def averaged(video: Tensor) -> Tensor:
    """Stands for a VAE: the mean of each cell of 8 pixels, [3, F, H, W] in [-1, 1] -> [16, T, h, w], as the transformer reads them."""
    small = F.avg_pool3d((video[:, ::4] + 1) / 2, (1, 8, 8))
    mean, std = (torch.tensor(numbers).view(-1, 1, 1, 1) for numbers in (MEAN, STD))
    return (torch.cat([small * (1 + 0.1 * number) for number in range(6)])[:16] - mean) / std


@torch.no_grad()
def write(folder: Path) -> None:
    """Weights, inputs and the latents of every case, in the VAE's own numbers, below `folder`."""
    place = folder / FOLDER
    place.mkdir()
    backbone = tiny_wan.t2v(**_SIZES)
    state = {diffusers_to_native(key): tensor for key, tensor in backbone.state_dict().items()}
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, place / "backbone.safetensors")
    generator = torch.Generator().manual_seed(4)
    stills = [torch.rand(20 + 9 * number, 50, 3, generator=generator) for number in range(7)]
    made = {"clip": torch.rand(FRAMES, *SIZE, 3, generator=generator)}
    made |= {f"still {number}": still for number, still in enumerate(stills)}
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1, 1) for numbers in (MEAN, STD))
    for name, (method, count) in CASES.items():
        record, work = recipe(method), SegmentsWork()
        material = Material(made["clip"], plan_fit(FRAMES, *SIZE, lattice=WAN.lattice), None, stills[:count])
        settings = EditSettings(method=record.segments)
        prepared = work.prepare(material, settings, averaged)
        denoiser = Denoiser(
            backbone,
            text(1),
            SIGMAS,
            negative=text(2),
            edits=work.edits(None, prepared, settings),
            guidance=record.guidance_for(count),
        )
        made[name] = sample_flow_euler(denoiser, draw(5, 1, *prepared.shape), SIGMAS) * std + mean
    save_file({key: tensor.contiguous() for key, tensor in made.items()}, place / "made.safetensors")
