"""Bernini-R in ComfyUI against the headless host: clips that are edited, and clips that are made of references alone."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import comfy.samplers
import comfy.sd
import folder_paths
import torch
from bad_input import refused
from safetensors.torch import load_file
from tiny import SIGMAS, SIZE, Vae, call, clip, difference, noise, text

FOLDER = Path(folder_paths.base_path) / "segments_reference"
CASES = {
    "a clip": ("bernini-r-1.3b", 0),
    "a clip and references": ("bernini-r-1.3b", 2),
    "a reference": ("bernini-r-1.3b-r2v", 1),
    "more references than were trained": ("bernini-r-1.3b-r2v", 7),
}


@cache
def given() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "made.safetensors")


@cache
def model() -> Any:
    return comfy.sd.load_diffusion_model(str(FOLDER / "backbone.safetensors"))


def stills(count: int) -> list[torch.Tensor]:
    return [given()[f"still {number}"] for number in range(count)]


def laid_out(references: list[torch.Tensor]) -> tuple[Any, ...]:
    """What VACE task lays out for a clip of references alone."""
    sized = {"width": SIZE[1], "height": SIZE[0], "frames": 9, "sample": "first", "fps": 8.0}
    return call("ReelpatchTask", task={"task": "reference"}, references=references, **sized)


def edit(recipe: str, references: list[torch.Tensor], worked: Any) -> tuple[Any, ...]:
    options = {"model": model(), "vae": Vae(), "start": 0.0, "end": 1.0, "instruction": "A cat."}
    return call("ReelpatchEditInContext", recipe=recipe, references=references, clip=worked, **options)


def settings(recipe: str) -> Any:
    return call("ReelpatchRecipe", recipe=recipe, steps=0, shift=0.0, cfg=0.0)[2]


def made(edited: Any, latent: Any, plan: Any) -> torch.Tensor:
    told = {"cfg": 1.0, "steps": "", "skip_blocks": "", "skip_start": 0.0, "skip_end": 1.0, "settings": plan}
    texts = {"positive": text(1), "negative": text(2)}
    (guider,) = call("ReelpatchGuidanceSchedule", model=edited, **texts, **told)
    start = latent["samples"]
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(noise(tuple(start.shape)), start, sampler, SIGMAS, disable_pbar=True)


def check_every_way_equals_headless():
    found = {}
    for name, (recipe, count) in CASES.items():
        is_alone = recipe.endswith("-r2v")
        worked, _, references, *_ = (
            laid_out(stills(count)) if is_alone else (clip(given()["clip"]), 0, stills(count))
        )
        edited, latent, prompt = edit(recipe, references, worked)
        assert latent["samples"].shape == given()[name].shape
        assert ("subject-to-video generation.A cat." in prompt) == is_alone
        found[name] = difference(made(edited, latent, settings(recipe)), given()[name])
    assert max(found.values()) <= 1e-4, found
    ways = [given()[name] for name in CASES]
    assert min(difference(one, other) for one, other in pairwise(ways)) > 1e-2
    return found


def check_memory_of_references_is_declared():
    asked = []
    worked, _, references, *_ = laid_out(stills(1))
    edited, latent, _ = edit("bernini-r-1.3b-r2v", references, worked)
    for wrapper in edited.get_wrappers("prepare_sampling", "reelpatch"):
        if type(wrapper).__name__ == "EditMemory":
            shape = latent["samples"].shape
            wrapper(lambda _model, shape, *_args, **_more: asked.append(tuple(shape)), edited, shape)
    # A still of 32x48 beside three latent frames of that size.
    assert asked == [(1, 16, 4, 4, 6)], asked


def check_the_video_is_as_long_and_as_large_as_was_asked():
    worked, *_ = laid_out(stills(1))
    decoded = torch.full((9, *SIZE, 3), 0.25)
    assert torch.equal(worked.finished(decoded), decoded)


def check_what_does_not_go_together_is_refused():
    empty, *_ = laid_out(stills(1))
    alone = "bernini-r-1.3b-r2v"
    return [
        refused(lambda: edit(alone, stills(1), clip()), "makes one of references alone", "VACE task"),
        refused(lambda: edit("bernini-r-1.3b", stills(1), empty), "gray, all of it", "bernini-r-r2v"),
        refused(lambda: edit(alone, [], empty), "no references were given", "1 to 16"),
        refused(lambda: edit(alone, stills(1) * 17, empty), "17 references", "16 at most"),
        refused(lambda: laid_out([]), "needs a reference"),
    ]
