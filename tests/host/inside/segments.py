"""Token segments on a MODEL of ComfyUI's."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import comfy.latent_formats
import comfy.samplers
import torch
from bad_input import refused
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced
from tiny import LATENT, SIGMAS, Vae, apply, backbone, call, clip, difference, module, noise, sample, text

from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.sampling.condition_sets import Projection, Sees, SourceWeight
from reelpatch.sampling.guidance import Guidance, GuidancePlan


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
    return SegmentsEdit([LatentSegment(read(one)[0], is_numbered=True) for one in latents])


DOWN = torch.tensor([0.9, 0.0])


def guided(
    model: Any,
    plan: GuidancePlan,
    *,
    sigmas: torch.Tensor = DOWN,
    latent: torch.Tensor | None = None,
    is_noisy: bool = True,
    **inputs: Any,
) -> torch.Tensor:
    """What Guidance schedule makes by Euler steps, as `sample` does; usually in one step from 0.9."""
    start = torch.zeros(LATENT) if latent is None else latent
    given = {"cfg": 1.0, "steps": "", "skip_blocks": "", "skip_start": 0.0, "skip_end": 1.0, "settings": plan}
    guider = call(
        "ReelpatchGuidanceSchedule", model=model, positive=text(1), negative=text(2), **given, **inputs
    )[0]
    sampler = comfy.samplers.sampler_object("euler")
    added = noise(LATENT) if is_noisy else torch.zeros(LATENT)
    return guider.sample(added, start, sampler, sigmas, disable_pbar=True)


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


def check_guidance_over_condition_sets_is_the_sum_of_its_passes():
    """One Euler step down to 0 gives what was denoised."""
    base, (source, still) = backbone(torch.float32), streams(2)
    clip_segment, reference = segments([source, still]).segments
    reference = replace(reference, is_reference=True)
    both = host().attach(base, SegmentsEdit([clip_segment, reference]), None)
    sources = SourceWeight(Sees.CLIP, 3.0), SourceWeight(Sees.ALL, 2.0)
    plan = GuidancePlan(Guidance(5.0), reference_guidance=Guidance(4.0, sources=sources))

    def alone(seed: int, *shown: LatentSegment) -> torch.Tensor:
        model = host().attach(base, SegmentsEdit(shown), None) if shown else base
        return sample(model, cfg=1.0, positive=text(seed), sigmas=DOWN)

    nothing, one, seen = alone(2), alone(2, clip_segment), alone(2, clip_segment, reference)
    told = alone(1, clip_segment, reference)
    expected = nothing + 3 * (one - nothing) + 2 * (seen - one) + 4 * (told - seen)
    found = difference(guided(both, plan), expected)
    assert found < 1e-4
    assert difference(told, expected) > 100 * found
    projected = Guidance(4.0, projection=Projection(0.5, 1.0))
    numbers = comfy.latent_formats.Wan21()  # as the sampler sees them
    told, seen = numbers.process_in(told), numbers.process_in(seen)
    expected = numbers.process_out(seen + 4 * Projection(0.5, 1.0).of(told - seen, told))
    other = difference(guided(both, GuidancePlan(projected)), expected)
    assert other < 1e-4
    # Without references the settings' other guidance is in use.
    plain = guided(host().attach(base, SegmentsEdit([clip_segment]), None), plan)
    assert difference(plain, one + 5 * (alone(1, clip_segment) - one)) < 1e-4
    return {"chain": found, "projected": other}


def check_the_second_expert_goes_on_with_the_edits_of_the_first():
    """Euler keeps nothing from step to step, so that two runs one after the other are the same as one."""
    high, low = backbone(torch.float32), backbone(torch.float32)
    for name, weight in low.model.diffusion_model.named_parameters():
        if name.endswith("head.head.weight"):
            weight.neg_()
    edit = segments(streams(1))
    edited = host().attach(high, edit, None)
    guidance = Guidance(4.0, projection=Projection(0.5, 1.0))
    plan = GuidancePlan(guidance, boundary=0.6, low_noise_guidance=0.5)
    found = guided(edited, plan, sigmas=SIGMAS, low_noise=low)
    # Levels 1, 0.9 and 0.7 are the first one's, 0.4 is the second one's.
    first = guided(edited, GuidancePlan(guidance), sigmas=SIGMAS[:4])
    weaker = GuidancePlan(guidance.times(0.5))
    other = host().attach(low, edit, None)
    second = guided(other, weaker, sigmas=SIGMAS[3:], latent=first, is_noisy=False)
    assert difference(found, second) < 1e-4
    assert difference(found, guided(edited, GuidancePlan(guidance), sigmas=SIGMAS)) > 1e-2
    assert high.model.current_patcher is None or high.model.current_patcher is not low
    return difference(found, second)


def check_experts_that_are_no_pair_are_refused():
    one, other = backbone(), backbone()
    plan = GuidancePlan(Guidance(1.0), boundary=0.875)
    said = []
    for given, low in ((plan, None), (plan, one), (GuidancePlan(Guidance(1.0)), other)):
        try:
            guided(one, given, low_noise=low)
        except ValueError as error:
            said.append(str(error))
    assert "one MODEL is connected" in said[0]
    assert "both experts are the same MODEL" in said[1]
    assert "nothing says at which step it takes over" in said[2]


def check_guidance_of_other_nodes_is_not_dropped_in_silence():
    edited = host().attach(backbone(torch.float32), segments(streams(1)), None)
    edited.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    plan = GuidancePlan(Guidance(4.0, projection=Projection(0.5, 1.0)))
    said = ""
    try:
        guided(edited, plan)
    except ValueError as error:
        said = str(error)
    assert "another node changes how guidance is combined" in said


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
    by_hand = host().attach(base, SegmentsEdit([LatentSegment(source[0], is_numbered=True)]), None)
    found = difference(made["bernini-r-1.3b"], sample(by_hand))
    assert found < 1e-5
    return found


def _sampled_by_core(recipe: str) -> dict[str, Any]:
    """What core's sampler makes of the LATENT of Edit in context, with all that the LATENT says."""
    given = {"model": backbone(torch.float32), "vae": Vae(), "clip": clip(), "start": 0.0, "end": 1.0}
    model, latent, _ = call("ReelpatchEditInContext", recipe=recipe, instruction="Remove the lamp.", **given)
    told = {"cfg": 1.0, "steps": "", "skip_blocks": "", "skip_start": 0.0, "skip_end": 1.0}
    guider = call("ReelpatchGuidanceSchedule", model=model, positive=text(1), negative=text(2), **told)[0]
    noises = Noise_RandomNoise(3)
    euler = comfy.samplers.sampler_object("euler")
    return SamplerCustomAdvanced.execute(noises, guider, euler, DOWN, latent).result[0]


def check_the_grounding_film_is_the_first_segment_decoded_alone():
    samples = _sampled_by_core("videocof")
    latents = samples["samples"]
    assert latents.shape[2] == 1 + 3
    seen: list[torch.Tensor] = []

    class Alone(Vae):
        def decode(self, latents: torch.Tensor) -> torch.Tensor:
            seen.append(latents)
            return latents[:, :3].permute(0, 2, 3, 4, 1)

    (film,) = call("ReelpatchGroundingFilm", samples=samples, vae=Alone())
    assert [tuple(one.shape) for one in seen] == [(1, 16, 1, *latents.shape[3:])]
    assert torch.equal(film, Alone().decode(latents[:, :, :1])[0].clamp(0, 1))
    assert film.std() > 0
    both = {**samples, "samples": torch.cat([latents, latents.flip(1)])}
    (film,) = call("ReelpatchGroundingFilm", samples=both, vae=Alone())
    assert len(film) == 2
    words = "nothing that shows what will be changed", "videocof or videocof-fast"
    others = _sampled_by_core("bernini-r-1.3b"), {"samples": latents}
    return [
        refused(lambda one=one: call("ReelpatchGroundingFilm", samples=one, vae=Alone()), *words)
        for one in others
    ]
