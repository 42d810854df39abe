"""Enhance: core's own sampler runs Ditto's enhancer, from the clip and noise in the published parts."""

from __future__ import annotations

from typing import Any

import comfy.latent_formats
import torch
from tiny import Vae, backbone, call, clip, difference, frames, text

from reelpatch.recipes import RECIPES
from reelpatch.recipes.levels import sigmas_of

SIGMAS = (0.571156, 0.492880, 0.386847, 0.235110, 0.0)


def enhance(model: Any, **inputs: Any) -> tuple[Any, Any, torch.Tensor, dict[str, Any]]:
    given = {"vae": Vae(), "positive": text(1), "negative": text(2), "clip": clip(), **inputs}
    return call("ReelpatchEnhance", model=model, **{"recipe": "enhance", "last_steps": 0, **given})


def watched(model: Any, seen: list[tuple[torch.Tensor, float, int]]) -> Any:
    copy = model.clone()

    def run(forward: Any, args: dict[str, Any]) -> torch.Tensor:
        seen.append((args["input"].clone(), float(args["timestep"][0]), len(args["input"])))
        return forward(args["input"], args["timestep"], **args["c"])

    copy.set_model_unet_function_wrapper(run)
    return copy


def sampled(outputs: tuple[Any, Any, torch.Tensor, dict[str, Any]], seed: int = 3) -> torch.Tensor:
    guider, sampler, sigmas, latent = outputs
    given = {"noise": call("RandomNoise", noise_seed=seed)[0], "guider": guider, "sampler": sampler}
    return call("SamplerCustomAdvanced", sigmas=sigmas, latent_image=latent, **given)[0]["samples"]


def check_the_start_is_the_clip_and_noise_in_the_published_parts():
    seen: list[tuple[torch.Tensor, float, int]] = []
    outputs = enhance(watched(backbone(), seen))
    assert difference(outputs[2], torch.tensor(SIGMAS)) < 1e-6
    made = sampled(outputs)
    assert [rows for _, _, rows in seen] == [2] * 4  # guidance 3: both passes in one batch
    # What core hands over here is the sigma of the whole timestep.
    assert [round(1000 * sigma) for _, sigma, _ in seen] == [571, 492, 386, 235]
    latents = comfy.latent_formats.Wan21().process_in(Vae().encode(frames()))
    noise = torch.randn(latents.shape, generator=torch.manual_seed(3))
    start = 0.428844 * latents + 0.571156 * noise
    # Core hands the network its own dtype.
    assert difference(seen[0][0][:1].float(), start.to(seen[0][0].dtype).float()) < 0.02
    assert made.shape == outputs[3]["samples"].shape
    assert difference(made, outputs[3]["samples"]) > 0.01


def check_one_pass_a_step_needs_no_negative_prompt():
    seen: list[tuple[torch.Tensor, float, int]] = []
    sampled(enhance(watched(backbone(), seen), recipe="enhance-fast", negative=None))
    assert [rows for _, _, rows in seen] == [1] * 4


def check_last_steps_are_the_strength():
    model = backbone()
    for steps in (1, 14):
        sigmas = enhance(model, last_steps=steps)[2]
        assert difference(sigmas, sigmas_of(RECIPES["enhance"], steps=steps)) == 0
        assert len(sigmas) == steps + 1


def check_the_recipe_node_gives_the_same_run():
    ours = call("ReelpatchRecipe", recipe="enhance", steps=0, shift=0.0, cfg=0.0)
    outputs = enhance(backbone())
    assert difference(ours[1], outputs[2]) == 0
    assert ours[2] == outputs[0].plan


def refused(**inputs: Any) -> str:
    try:
        enhance(inputs.pop("model", None) or backbone(), **inputs)
    except ValueError as error:
        return str(error)
    raise AssertionError("nothing was said")


def check_what_cannot_be_is_said():
    assert "the high-noise expert is needed" in refused(last_steps=15)
    assert "none is connected" in refused(negative=None)

    class Other(Vae):
        latent_channels = 48

    assert "video VAE of 48 channels" in refused(vae=Other())
