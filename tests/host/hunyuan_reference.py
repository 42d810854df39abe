"""A tiny HunyuanVideo-1.5, and what the headless host makes of a clip with it by channels: for ComfyUI to equal."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.channels.work import ChannelWork
from reelpatch.edits.work import EditSettings, Material
from reelpatch.families.hunyuan15.family import HUNYUAN_15
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.hunyuan15_host import HunyuanText, joined, predict_velocity
from reelpatch.headless.models.hunyuan15.transformer import load_backbone
from reelpatch.headless.models.hunyuan15.vae import load_vae
from reelpatch.recipes import recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.solvers import sample_flow_euler
from tests.golden import tiny_hunyuan as tiny
from tests.host.tiny_values import draw

FOLDER = "hunyuan_reference"
SIZE = (64, 96)
SIGMAS = torch.tensor([1.0, 0.9, 0.7, 0.4, 0.0])
CASES = {"plain": (9, 1.0), "guided": (9, 4.0), "a picture": (1, 1.0)}
"""The number of frames and the guidance, by the name of the case."""
_SCALE = 1.03682


def averaged(video: Tensor) -> Tensor:
    """Stands for a VAE: the mean of each cell of 16 pixels, 32 times, [3, F, H, W] -> [32, T, h, w]."""
    small = F.avg_pool3d(video[:, ::4], (1, 16, 16))
    return torch.cat([small * (1 + 0.1 * number) for number in range(11)])[:32]


def looked(pictures: Tensor) -> Tensor:
    """Stands for SigLIP: 4 rows of 1152 for each of the pictures [k, H, W, 3], one after the other."""
    small = F.adaptive_avg_pool2d(pictures.movedim(-1, 1), (2, 2)).flatten(2).transpose(1, 2)
    return small.repeat(1, 1, 384).reshape(1, -1, 1152)


def write(folder: Path) -> None:
    """Weights, inputs and the latents of every case, below `folder`."""
    place = folder / FOLDER
    place.mkdir()
    backbone = place / "hunyuan_backbone.safetensors"
    state = tiny.changed_transformer(image_embed_dim=1152, text_embed_dim=3584).state_dict()
    save_file(tiny.in_naming(state, tiny.COMFY, fuses=True), backbone)
    save_file(
        tiny.in_naming(tiny.vae().state_dict(), tiny.COMFY, fuses=False), place / "hunyuan_vae.safetensors"
    )
    given = {
        "clip": torch.rand(9, *SIZE, 3, generator=torch.Generator().manual_seed(4)),
        **{"positive": draw(1, 1, 7, 3584), "negative": draw(2, 1, 5, 3584), "glyphs": draw(3, 1, 4, 1472)},
        **{f"noise {frames}": draw(5, 1, 32, (frames + 3) // 4, 4, 6) for frames in (1, 9)},
    }
    for name, (frames, guidance) in CASES.items():
        given[name] = _latents(backbone, given, frames, guidance)
    vae = load_vae(place / "hunyuan_vae.safetensors")
    given |= {"picture's latents": vae.encode(given["clip"][0].movedim(-1, 0)[:, None] * 2 - 1)}
    given |= {"picture again": vae.decode(given["picture's latents"])}
    save_file({key: tensor.contiguous() for key, tensor in given.items()}, place / "given.safetensors")


def _latents(backbone: Path, given: dict[str, Tensor], frames: int, guidance: float) -> Tensor:
    """In the VAE's own numbers, as ComfyUI hands latents on."""
    model = load_backbone(
        backbone, dtype=torch.float32, device=torch.device("cpu"), kinds=(HunyuanFile.BACKBONE,)
    )
    settings = EditSettings(method=recipe("capybara").channels, look=looked)
    material = Material(given["clip"][:frames], plan_fit(frames, *SIZE, lattice=HUNYUAN_15.lattice))
    prepared = ChannelWork().prepare(material, settings, lambda video: averaged(video) * _SCALE)
    denoiser = Denoiser(
        model,
        HunyuanText(given["positive"], given["glyphs"]),
        SIGMAS,
        negative=HunyuanText(given["negative"], torch.zeros(1, 0, 0)),
        edits=ChannelWork().edits(None, prepared, settings),
        guidance=Guidance(guidance),
        predict=predict_velocity,
        join=joined,
    )
    return sample_flow_euler(denoiser, given[f"noise {frames}"], SIGMAS) / _SCALE
