"""A tiny Wan2.2 TI2V-5B with edit adapters, and what the headless host makes of a clip with them: for ComfyUI to equal."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.adapter.work import AdapterWork
from reelpatch.edits.work import EditSettings, Material
from reelpatch.families.kinds import Kind
from reelpatch.families.wan.family import WAN_5B_FAMILY
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.headless.models.wan_vae import WIDE_MEAN, WIDE_STD
from reelpatch.recipes import recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.solvers import sample_flow_euler
from tests.golden import tiny_adapter

FOLDER = "adapter_reference"
FRAMES, SIZE = 9, (64, 96)  # 3 latent frames of 4 x 6 cells
GUIDANCE = 5.0
SIGMAS = torch.tensor([1.0, 0.9, 0.7, 0.4, 0.0])
SEEN = {"plain": (), "masked": ("mask",), "referred": ("mask", "still")}
"""What is given beside the clip, by the name of the case."""


def averaged(video: Tensor) -> Tensor:
    """Stands for a VAE: the mean of each cell of 16 pixels, 48 times, [3, F, H, W] -> [48, T, h, w]."""
    small = F.avg_pool3d(video[:, ::4], (1, 16, 16))
    return torch.cat([small * (1 + 0.1 * number) for number in range(16)])


def normalised(latents: Tensor) -> Tensor:
    mean, std = (torch.tensor(numbers).view(-1, 1, 1, 1) for numbers in (WIDE_MEAN, WIDE_STD))
    return (latents - mean) / std


def write(folder: Path) -> None:
    """Weights, inputs and the latents of every case, below `folder`."""
    place = folder / FOLDER
    backbone = tiny_adapter.save_backbone(place / "wide_backbone.safetensors")
    generator = torch.Generator().manual_seed(4)
    given = {
        "clip": torch.rand(FRAMES, *SIZE, 3, generator=generator),
        "mask": (torch.rand(FRAMES, *SIZE, generator=generator) > 0.5).float(),
        "still": torch.rand(40, 50, 3, generator=generator),
        "noise": tiny_adapter.draw(3, 1, 48, 3, 4, 6),
    }
    given |= {
        name: torch.cat([tiny_adapter.draw(seed, 1, 6, 4096), torch.zeros(1, 506, 4096)], dim=1)
        for name, seed in (("positive", 1), ("negative", 2))
    }
    for positions in ("sequence", "aligned"):
        adapter = tiny_adapter.save(place / f"adapter_{positions}.safetensors", positions)
        for name, shown in SEEN.items():
            given[f"{positions}, {name}"] = _latents(backbone, adapter, given, shown)
    changed = tiny_adapter.save(place / "adapter_differences.safetensors", state=tiny_adapter.differences())
    given["differences, plain"] = _latents(backbone, changed, given, ())
    tiny_adapter.save(place / "adapter_wide.safetensors", state=tiny_adapter.weights(256))
    tiny_adapter.save(place / "adapter_16.safetensors", state=tiny_adapter.weights(channels=16))
    save_file({key: tensor.contiguous() for key, tensor in given.items()}, place / "given.safetensors")


def _latents(backbone: Path, adapter: Path, given: dict[str, Tensor], shown: tuple[str, ...]) -> Tensor:
    """In the VAE's own numbers, as ComfyUI hands latents on."""
    model = load_backbone(backbone, dtype=torch.float32, kinds=(Kind.WIDE_BACKBONE,))
    work = AdapterWork()
    module = load_module(adapter, work, dtype=torch.float32)
    apply_lora(model, adapter)
    settings = EditSettings(method=recipe("easyv2v").segments)
    material = Material(
        given["clip"],
        plan_fit(FRAMES, *SIZE, lattice=WAN_5B_FAMILY.lattice),
        given["mask"] if "mask" in shown else None,
        [given["still"]] if "still" in shown else [],
    )
    prepared = work.prepare(material, settings, lambda video: normalised(averaged(video)))
    denoiser = Denoiser(
        model,
        given["positive"],
        SIGMAS,
        negative=given["negative"],
        edits=work.edits(module, prepared, settings),
        guidance=Guidance(GUIDANCE),
    )
    made = sample_flow_euler(denoiser, given["noise"], SIGMAS)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1, 1) for numbers in (WIDE_MEAN, WIDE_STD))
    return made * std + mean
