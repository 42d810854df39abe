"""Tiny weights of ChronoEdit's form, and what the headless host makes of a picture with them: for ComfyUI to equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.clips.frames import as_clip
from reelpatch.clips.worked_clip import Finishing
from reelpatch.edits.reasoning.condition import build_condition
from reelpatch.edits.reasoning.decode import decode_film
from reelpatch.edits.reasoning.drop import Drop
from reelpatch.edits.reasoning.worked_picture import WorkedPicture
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.names import diffusers_to_native, native_to_diffusers
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.spaced_rotary import space_positions
from reelpatch.headless.hosts.wan_host import SeenPicture
from reelpatch.headless.models.picture_encoder import middle_square
from reelpatch.headless.models.wan_vae import Vae, load_vae
from reelpatch.recipes import recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.golden import tiny_pictures
from tests.host.tiny_values import draw

FOLDER = "picture_reference"
STEPS, GUIDANCE, AREA = 5, 2.5, (32, 48)
CASES = {"plain": 0, "dropped at 1": 1, "dropped at 3": 3, "kept": STEPS}
"""Reasoning steps by the name of the case."""
_SIZES = {
    **{"num_attention_heads": 1, "attention_head_dim": 128, "text_dim": 4096, "freq_dim": 256},
    **{"image_dim": 1280, "added_kv_proj_dim": 128},
}


def write(folder: Path) -> None:
    """Weights, LoRAs, inputs and the latents of every case, below `folder`."""
    place = folder / FOLDER
    place.mkdir()
    backbone = tiny_pictures.backbone(**_SIZES)
    state = {diffusers_to_native(key): tensor for key, tensor in backbone.state_dict().items()}
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, place / "backbone.safetensors")
    layers = [name.removesuffix(".weight") for name, tensor in state.items() if tensor.ndim == 2]
    for number, name in enumerate(("upsample_lora_diffusers", "paintbrush_lora_diffusers")):
        save_file(_lora(state, layers[number::2]), place / f"{name}.safetensors")
    given = {
        "picture": torch.rand(40, 62, 3, generator=torch.Generator().manual_seed(4)),
        "smooth": _smooth(300, 460),
        "embedding": draw(8, 1, 257, 1280),
        "positive": _text(1),
        "negative": _text(2),
    }
    given["square"] = middle_square(given["smooth"], 224)
    space_positions(backbone)
    (place / "vae.safetensors").symlink_to(Editor(recipe("demo")).files.vae)
    vae = load_vae(place / "vae.safetensors")
    for name, steps in CASES.items():
        given |= _case(name, steps, given, backbone, vae)
    save_file({key: tensor.contiguous() for key, tensor in given.items()}, place / "given.safetensors")


def _smooth(height: int, width: int) -> Tensor:
    """A picture without noise, in bytes as files have them."""
    coarse = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(5))
    picture = F.interpolate(coarse, size=(height, width), mode="bilinear")[0].permute(1, 2, 0)
    return (picture * 255).round() / 255


def _text(seed: int) -> Tensor:
    return torch.cat([draw(seed, 1, 6, 4096), torch.zeros(1, 506, 4096)], dim=1)


def _lora(state: dict[str, Tensor], layers: list[str]) -> dict[str, Tensor]:
    """In diffusers' names, on layers of the picture's branch too."""
    made: dict[str, Tensor] = {}
    for number, layer in enumerate(layers):
        rows, columns = state[f"{layer}.weight"].shape
        key = f"transformer.{native_to_diffusers(layer)}"
        made[f"{key}.lora_A.weight"] = draw(number, 2, columns) / 10
        made[f"{key}.lora_B.weight"] = draw(1000 + number, rows, 2) / 10
    return made


def _case(
    name: str, steps: int, given: dict[str, Tensor], backbone: WanTransformer3DModel, vae: Vae
) -> dict[str, Tensor]:
    how = replace(recipe("chronoedit").check_pictures(), reasoning_steps=steps)
    worked = WorkedPicture.of(
        given["picture"], None, how, finishing=Finishing(), lattice=WAN.lattice, area=AREA
    )
    condition = build_condition(worked.fitted, how.frames, vae.encode, WAN.lattice)
    noise = draw(3, *WAN.lattice.latent_shape(how.frames, worked.fit.size))[None]
    sigmas = sigmas_of(recipe("chronoedit"), steps=STEPS)
    denoiser = Denoiser(
        backbone,
        given["positive"],
        sigmas,
        negative=given["negative"],
        guidance=Guidance(GUIDANCE),
        picture=SeenPicture(condition, given["embedding"]),
    )
    latents = sample_flow_unipc(denoiser, noise, sigmas, between=Drop(steps) if steps else None)
    film = as_clip(decode_film(latents[0], vae.decode))
    return {
        f"{name}: noise": noise,
        f"{name}: latents": latents * vae._std + vae._mean,
        f"{name}: film": film,
        f"{name}: picture": worked.finished(worked.restored(film[-1])),
    }
