"""Runs inside ComfyUI: edits with Ditto's settings from pictures to pictures, by our nodes and by ComfyUI's own.

Started by `benchmarks.comfyui_gpu`. Both take their weights from one file, a merged VACE model of random numbers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import comfy.ldm.wan.vae
import comfy.memory_management
import comfy.model_management
import comfy.sd
import folder_paths
import tiny
import torch
from safetensors.torch import save_file

from benchmarks import results
from benchmarks.timing import Times, interleaved, ratio
from reelpatch.families.wan.sizes import WAN_14B
from reelpatch.plan.memory import GIB, RESERVED_BYTES
from reelpatch.recipes import recipe

SIZE, CAP_GIB, FRAMES = os.environ["REELPATCH_BENCHMARK"].split()
FILE = "benchmark_vace_{}_fp8_e4m3fn.safetensors"
FULL = SIZE == "full"
TURNS = 2
SHAPE = (int(FRAMES), *((480, 832) if FULL else (32, 48)))  # frames, height, width
# Width, feed-forward, blocks, hints.
MODEL = (
    (WAN_14B.dim, WAN_14B.ffn_dim, WAN_14B.num_blocks, WAN_14B.num_vace_blocks) if FULL else (128, 96, 4, 2)
)
VAE_DIM = 96 if FULL else 8
# In half precision, which a card computes in, orders of sums differ over 4 steps; that both do the same is tested in fp32, on the CPU.
AT_MOST = 5e-2 if torch.cuda.is_available() else 1e-4
STAGES = ("encode", "sample", "decode")


@dataclass
class Edit:
    """One way to do the edit, and what each of its runs took."""

    run: Callable[[Callable[[str], None]], torch.Tensor]
    stages: list[dict[str, float]] = field(default_factory=list)

    def __call__(self) -> torch.Tensor:
        """The sampled latents, [1, 16, T, h, w]."""
        times = [_now()]
        latents = self.run(lambda _stage: times.append(_now()))
        self.stages.append({name: times[at + 1] - times[at] for at, name in enumerate(STAGES)})
        return latents


def check_edits() -> dict[str, Any]:
    """Times, stages and peaks; contenders take turns. With a cap, without the fast recipe."""
    assert torch.cuda.is_available() or not FULL, "the full size takes a CUDA device"
    _cap()
    edits = _edits()
    if CAP_GIB != "0":
        del edits["fast"]
    first = {name: _alone(edit) for name, edit in edits.items()}
    difference = results.check_agree(first["ours"][0], first["core"][0], at_most=AT_MOST, what="ComfyUI")
    for edit in edits.values():
        edit.stages.clear()
    times = interleaved(dict(edits), turns=TURNS, warm_up=0, wait=_wait)
    return {
        "difference": difference,
        "shape": SHAPE,
        "torch": torch.__version__,
        "dynamic_vram": comfy.memory_management.aimdo_enabled,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "edits": {
            name: one.as_dict()
            | ratio(one, times["core"])
            | {"stages_s": _medians(edits[name].stages), **first[name][1]}
            for name, one in times.items()
        },
    }


def _edits() -> dict[str, Edit]:
    file = _weights()
    # Two MODELs of one file: ComfyUI's takes the module along, ours takes the backbone and loads the module by itself.
    whole = tiny.call("UNETLoader", unet_name=file.name, weight_dtype="default")[0]
    base = tiny.call("ReelpatchLoadBackbone", file=file.name, storage="from file", compute="auto")[0]
    module = tiny.call("ReelpatchLoadEditModule", file=file.name)[0]
    vae, pixels = _vae(), tiny.frames(SHAPE[0], SHAPE[1:])
    ditto = recipe("ditto-global")
    sampler, sigmas = tiny.call("ReelpatchRecipe", recipe=ditto.name, steps=0, shift=0.0, cfg=0.0)[:2]
    frames, height, width = SHAPE
    texts = tiny.text(1), tiny.text(2)

    def finished(guider: Any, latent: Any, mark: Callable[[str], None]) -> torch.Tensor:
        noise = tiny.call("RandomNoise", noise_seed=7)[0]
        sampled = tiny.call(
            "SamplerCustomAdvanced", noise=noise, guider=guider, sampler=sampler, sigmas=sigmas, latent_image=latent
        )[0]  # fmt: skip
        mark("sample")
        tiny.call("VAEDecode", samples=sampled, vae=vae)
        mark("decode")
        return sampled["samples"]

    def core(mark: Callable[[str], None]) -> torch.Tensor:
        positive, negative, latent, _ = tiny.call(
            "WanVaceToVideo", positive=texts[0], negative=texts[1], vae=vae, width=width, height=height, length=frames,
            batch_size=1, strength=ditto.strength, control_video=pixels,
        )  # fmt: skip
        mark("encode")
        scale = ditto.guidance.scale
        guider = tiny.call("CFGGuider", model=whole, positive=positive, negative=negative, cfg=scale)[0]
        return finished(guider, latent, mark)

    def ours(mark: Callable[[str], None], steps: str) -> torch.Tensor:
        # From its second edit of a size on, as in any session, it does not encode the grey clip again.
        clip = tiny.clip(pixels, fps=float(ditto.fps))
        model, latent = tiny.apply(base, module, vae=vae, clip=clip, strength=ditto.strength)
        mark("encode")
        guider = tiny.call(
            "ReelpatchGuidanceSchedule", model=model, positive=texts[0], negative=texts[1], cfg=ditto.guidance.scale,
            steps=steps, skip_blocks="", skip_start=0.0, skip_end=1.0,
        )[0]  # fmt: skip
        return finished(guider, latent, mark)

    return {
        "core": Edit(core),
        "ours": Edit(lambda mark: ours(mark, "")),
        "fast": Edit(lambda mark: ours(mark, "0")),
    }


def _weights() -> Path:
    """The merged model's file; made once, tensor by tensor on the device."""
    folder = Path(folder_paths.base_path) / "models" / "diffusion_models"
    path = folder / FILE.format(SIZE)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        state = {key: tiny.stored(key, tensor, tiny.FP8).cpu() for key, tensor in tiny.drawn(*MODEL, device)}
        save_file(state, path)
    folder_paths.add_model_folder_path("diffusion_models", str(folder))
    return path


def _vae() -> Any:
    model = comfy.ldm.wan.vae.WanVAE(
        dim=VAE_DIM, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
        temperal_downsample=[False, True, True], dropout=0.0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    state = {
        key: torch.randn(like.shape, generator=generator) * max(1, like[0].numel()) ** -0.5
        for key, like in model.state_dict().items()
    }
    return comfy.sd.VAE(sd=state)


def _alone(edit: Edit) -> tuple[torch.Tensor, dict[str, float | None]]:
    """The latents of a first run that finds the card empty, and its peaks in GiB.

    Allocated is what PyTorch handed out. Taken is all that was gone from the card, looked at a hundred times a second:
    ComfyUI's own memory (DynamicVRAM) and the driver's are in it too.
    """
    if not torch.cuda.is_available():
        return edit(), {"peak_allocated_gib": None, "taken_gib": None}
    comfy.model_management.unload_all_models()
    comfy.model_management.soft_empty_cache()
    torch.cuda.reset_peak_memory_stats()
    taken, is_over = [0], threading.Event()

    def look() -> None:
        while not is_over.wait(0.01):
            free, total = torch.cuda.mem_get_info()
            taken.append(total - free)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        latents = edit().float().cpu()
    finally:
        is_over.set()
        looking.join()
    return latents, {
        "peak_allocated_gib": torch.cuda.max_memory_allocated() / GIB,
        "taken_gib": max(taken) / GIB,
    }


def _cap() -> None:
    if CAP_GIB != "0" and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((float(CAP_GIB) * GIB - RESERVED_BYTES) / total)


def _medians(stages: list[dict[str, float]]) -> dict[str, float]:
    return {name: Times(tuple(one[name] for one in stages)).median for name in STAGES}


def _now() -> float:
    _wait()
    return time.perf_counter()


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
