"""Tiny Wan models of core's own making, and short ways to call nodes, for the checks that run inside ComfyUI."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.sd
import folder_paths
import torch
from comfy.ldm.wan.model import VaceWanModel
from comfy_api.internal import make_locked_method_func
from safetensors.torch import save_file

import nodes

FRAMES, SIZE = 9, (32, 48)  # of clips: 3 latent frames of 4x6
LATENT = (1, 16, 3, 4, 6)
NUM_LAYERS, NUM_HINTS = 4, 2  # hints follow blocks 0 and 2
# Of a text: a Wan model reads as many as it is given, and the 512 of its encoder would take most of the time of a run.
TEXT_ROWS = 16
SIGMAS = torch.tensor([1.0, 0.9, 0.7, 0.4, 0.0])
FP8 = torch.float8_e4m3fn
FOLDER = Path(folder_paths.base_path) / "tiny"


def call(name: str, **inputs: Any) -> tuple[Any, ...]:
    """What a node returns, V1 or V3."""
    node = nodes.NODE_CLASS_MAPPINGS[name]
    if hasattr(node, "GET_SCHEMA"):
        # As ComfyUI runs it: on a clone of the class that lets nothing be written to it.
        return make_locked_method_func(node, "execute", node.PREPARE_CLASS_CLONE(None))(**inputs).result
    return getattr(node(), node.FUNCTION)(**inputs)


@cache
def weights(dim: int = 128, ffn_dim: int = 96) -> dict[str, torch.Tensor]:
    """A merged VACE model with nothing at zero."""
    return dict(drawn(dim, ffn_dim, NUM_LAYERS, NUM_HINTS))


def drawn(
    dim: int, ffn_dim: int, num_layers: int, num_hints: int, device: str = "cpu"
) -> Iterator[tuple[str, torch.Tensor]]:
    """The same, tensor by tensor."""
    generator = torch.Generator(device).manual_seed(3)
    model = VaceWanModel(
        dim=dim, ffn_dim=ffn_dim, num_heads=dim // 128, num_layers=num_layers, text_dim=4096, vace_layers=num_hints,
        vace_in_dim=96, freq_dim=256, operations=torch.nn, dtype=torch.float32, device="meta",
    )  # fmt: skip
    for key, tensor in model.state_dict().items():
        scale = 1.0 if tensor.ndim < 2 or "modulation" in key else tensor[0].numel() ** -0.5
        noise = torch.randn(tensor.shape, generator=generator, device=device) * scale
        yield key, 1 + 0.1 * noise if "norm" in key and key.endswith("weight") else 0.5 * noise


@cache
def files(dtype: torch.dtype = torch.bfloat16, *, everything: bool = False) -> dict[str, Path]:
    """The merged model, its backbone and its module, on disk.

    fp8 is for the matrices that published files have in fp8, or for everything that core's fp8 storage rounds.
    """
    FOLDER.mkdir(exist_ok=True)
    state = {key: stored(key, tensor, dtype, everything=everything) for key, tensor in weights().items()}
    parts = {
        "merged": state,
        "backbone": {key: tensor for key, tensor in state.items() if not key.startswith("vace_")},
        "module": {key: tensor for key, tensor in state.items() if key.startswith("vace_")},
    }
    paths = {}
    for name, part in parts.items():
        paths[name] = FOLDER / f"{name}_{str(dtype).removeprefix('torch.')}{'_all' * everything}.safetensors"
        save_file(part, paths[name], {"reelpatch.vace_layers": "0,2"} if name == "module" else None)
    return paths


def stored(key: str, tensor: torch.Tensor, dtype: torch.dtype, *, everything: bool = False) -> torch.Tensor:
    """As files hold it: see `files`."""
    is_matrix = tensor.ndim == 2 and "blocks." in key and "norm" not in key
    is_stored = is_matrix or dtype != FP8 or (everything and "patch_embedding" not in key)
    return tensor.to(dtype if is_stored else torch.bfloat16).contiguous()


def backbone(file_dtype: torch.dtype = torch.bfloat16, *, everything: bool = False, **options: Any) -> Any:
    path = files(file_dtype, everything=everything)["backbone"]
    return comfy.sd.load_diffusion_model(str(path), model_options=options)


def merged(file_dtype: torch.dtype = torch.bfloat16, *, everything: bool = False, **options: Any) -> Any:
    path = files(file_dtype, everything=everything)["merged"]
    return comfy.sd.load_diffusion_model(str(path), model_options=options)


def register() -> None:
    folder_paths.add_model_folder_path("diffusion_models", str(FOLDER))


def module(dtype: torch.dtype = torch.bfloat16, *, everything: bool = False) -> Any:
    path = files(dtype, everything=everything)["module"]
    register()
    return call("ReelpatchLoadEditModule", file=path.name)[0]


class Vae:
    """Stands for no model: encodes by averaging, so that checks of the transformer need no VAE weights."""

    latent_channels, latent_dim = 16, 3
    first_stage_model = None

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        picked = frames[::4].permute(0, 3, 1, 2)
        small = torch.nn.functional.avg_pool2d(picked, 8)
        return torch.cat([small * (1 + 0.1 * i) for i in range(6)], dim=1)[:, :16].permute(1, 0, 2, 3)[None]


def frames(num_frames: int = FRAMES, size: tuple[int, int] = SIZE, seed: int = 0) -> torch.Tensor:
    return torch.rand(num_frames, *size, 3, generator=torch.Generator().manual_seed(seed))


def clip(images: torch.Tensor | None = None, **inputs: Any) -> Any:
    given = {"fit": "pad", "width": 0, "height": 0, "first_frame": 0, "frames": 0, "fps": 8.0, **inputs}
    return call("ReelpatchClip", images=frames() if images is None else images, **given)[0]


def apply(
    model: Any, patch: Any, *, strength: float = 1.0, start: float = 0.0, end: float = 1.0, **inputs: Any
) -> Any:
    """The edited MODEL and its LATENT."""
    given = {"vae": Vae(), "clip": clip(), **inputs}
    return call(
        "ReelpatchApplyEdit", model=model, edit_module=patch, strength=strength, start=start, end=end, **given
    )


def text(seed: int, **values: Any) -> list[Any]:
    rows = torch.zeros(1, TEXT_ROWS, 4096)
    rows[:, :6] = torch.randn(1, 6, 4096, generator=torch.Generator().manual_seed(seed))
    return [[rows, values]]


def noise(shape: tuple[int, ...] = LATENT, seed: int = 5) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def sample(
    model: Any, *, cfg: float = 3.0, latent: torch.Tensor | None = None, **options: Any
) -> torch.Tensor:
    """Four Euler steps, as KSampler runs them."""
    start = torch.zeros(LATENT) if latent is None else latent
    given = {
        "positive": text(1),
        "negative": text(2),
        "noise": noise(tuple(start.shape)),
        "sigmas": SIGMAS,
        **options,
    }
    return comfy.sample.sample(
        model, given.pop("noise"), 4, cfg, "euler", "simple", given.pop("positive"), given.pop("negative"), start,
        disable_pbar=True, **given,
    )  # fmt: skip


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    found = float((one - other).abs().max())
    assert found < float("inf"), "not finite"  # nor NaN
    return found
