"""Token segments on a MODEL of ComfyUI's."""

from __future__ import annotations

import sys
from types import ModuleType

import comfy.latent_formats
import torch
from tiny import LATENT, Vae, apply, backbone, call, clip, difference, module, noise, sample, text

from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit


def host() -> ModuleType:
    return next(found for name, found in sys.modules.items() if name.endswith(".nodes.host"))


def streams(count: int) -> list[torch.Tensor]:
    """Latents in the VAE's own numbers, the first as long as the clip, the others stills of other sizes."""
    shapes = [LATENT, (1, 16, 1, 6, 4), (1, 16, 1, 2, 8)][:count]
    return [
        torch.randn(shape, generator=torch.Generator().manual_seed(20 + at))
        for at, shape in enumerate(shapes)
    ]


def segments(latents: list[torch.Tensor]) -> SegmentsEdit:
    read = comfy.latent_formats.Wan21().process_in
    return SegmentsEdit(
        [LatentSegment(read(one)[0], source=number) for number, one in enumerate(latents, start=1)]
    )


def _equals_core(count: int) -> dict[str, float]:
    base, latents = backbone(torch.float32), streams(count)
    ours = sample(host().attach(base, segments(latents), None))
    conditions = {"positive": text(1, context_latents=latents), "negative": text(2, context_latents=latents)}
    theirs = sample(base, **conditions)
    found = {"difference": difference(ours, theirs), "effect": difference(ours, sample(base))}
    assert found["difference"] < 1e-4
    assert found["effect"] > 100 * found["difference"]
    return found


def check_one_stream_equals_core():
    return _equals_core(1)


def check_three_streams_equal_core():
    return _equals_core(3)


def check_hints_and_segments_stack_in_either_order():
    base, patch, edit = backbone(torch.float32), module(torch.float32), segments(streams(2))
    edited, latent = apply(base, patch)
    first = sample(host().attach(edited, edit, None), latent=latent["samples"])
    then, latent = apply(host().attach(base, edit, None), patch)
    assert difference(first, sample(then, latent=latent["samples"])) == 0
    assert difference(first, sample(edited, latent=latent["samples"])) > 1e-3


def check_memory_of_segments_is_declared():
    asked = []
    edited = host().attach(backbone(), segments(streams(1)), None)
    wrappers = edited.get_wrappers("prepare_sampling", "reelpatch")
    for wrapper in wrappers:
        if type(wrapper).__name__ == "EditMemory":
            wrapper(
                lambda _model, shape, *_args, **_more: asked.append(tuple(shape)), edited, noise(LATENT).shape
            )
    assert asked == [(1, 16, 6, 4, 6)]


def check_the_node_edits_in_context():
    base, worked = backbone(torch.float32), clip()
    given = {"model": base, "vae": Vae(), "clip": worked, "start": 0.0, "end": 1.0}
    made = {}
    for recipe in ("bernini-r-1.3b", "videocof"):
        model, latent, prompt = call(
            "ReelpatchEditInContext", recipe=recipe, instruction="Remove the lamp.", **given
        )
        made[recipe] = sample(model, latent=latent["samples"], noise=noise(tuple(latent["samples"].shape)))
        assert made[recipe].shape[2] == worked.references_in(made[recipe].shape[2]) + 3
        assert "Remove the lamp" in prompt
    assert made["videocof"].shape[2] == made["bernini-r-1.3b"].shape[2] + 1
    source = comfy.latent_formats.Wan21().process_in(Vae().encode(worked.frames))
    by_hand = host().attach(base, SegmentsEdit([LatentSegment(source[0], source=1)]), None)
    found = difference(made["bernini-r-1.3b"], sample(by_hand))
    assert found < 1e-5
    return found
