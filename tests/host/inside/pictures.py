"""Pictures edited as the last frame of a film: the nodes against the headless host, and what they refuse."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import comfy.clip_model
import comfy.clip_vision
import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.utils
import folder_paths
import torch
from bad_input import refused
from safetensors.torch import load_file
from tiny import backbone, call, difference

import nodes

FOLDER = Path(folder_paths.base_path) / "picture_reference"
STEPS, GUIDANCE = 5, 2.5
CASES = {"plain": 0, "dropped at 1": 1, "dropped at 3": 3, "kept": STEPS}


@cache
def given() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "given.safetensors")


@cache
def model() -> Any:
    for folder in ("diffusion_models", "loras"):
        folder_paths.add_model_folder_path(folder, str(FOLDER))
    folder_paths.filename_list_cache.clear()
    return call("ReelpatchLoadBackbone", file="backbone.safetensors", storage="fp32", compute="fp32")[0]


@cache
def vae() -> Any:
    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(FOLDER / "vae.safetensors")), dtype=torch.float32)


def picture(steps: int = 0, **more: Any) -> tuple[Any, ...]:
    options = {
        "image": given()["picture"][None],
        **{"recipe": "chronoedit", "instruction": "make it red", "reasoning_steps": steps},
        **{"width": 48, "height": 32, "crop": -1},
        **{"grow": 0, "feather": 0, "blend": "plain", "match": "none"},
    }
    return call("ReelpatchPicture", **options | more)


def settings(**more: Any) -> tuple[Any, ...]:
    return call(
        "ReelpatchRecipe", **{"recipe": "chronoedit", "steps": STEPS, "shift": 0.0, "cfg": GUIDANCE} | more
    )


def conditioned(shown: tuple[Any, ...], **more: Any) -> tuple[Any, ...]:
    """Positive, negative and latent as core's own node makes them."""
    _, frame, _, width, height, frames = shown
    seen = comfy.clip_vision.Output()
    seen["penultimate_hidden_states"] = given()["embedding"]
    options = {
        "positive": [[given()["positive"], {}]],
        "negative": [[given()["negative"], {}]],
        **{"vae": vae(), "width": width, "height": height, "length": frames, "batch_size": 1},
        **{"start_image": frame, "clip_vision_output": seen},
    }
    return call("WanImageToVideo", **options | more)


def run(edited: Any, sampler: Any, sigmas: Any, plan: Any, conditions: tuple[Any, ...], noise: Any) -> Any:
    positive, negative, latent = conditions
    guider = call(
        "ReelpatchGuidanceSchedule", model=edited, positive=positive, negative=negative, settings=plan, cfg=1.0,
        steps="", skip_blocks="", skip_start=0.0, skip_end=1.0,
    )[0]  # fmt: skip
    return guider.sample(noise, latent["samples"], sampler, sigmas, disable_pbar=True, seed=1)


def edit(name: str, base: Any = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents, picture and film of a case."""
    shown = picture(CASES[name])
    sampler, sigmas, plan, *_ = settings()
    edited, sampler = call(
        "ReelpatchEditPicture", model=base or model(), sampler=sampler, sigmas=sigmas, picture=shown[0]
    )
    latents = run(edited, sampler, sigmas, plan, conditioned(shown), given()[f"{name}: noise"])
    return latents, *call("ReelpatchFinishPicture", samples={"samples": latents}, vae=vae(), picture=shown[0])


def _equals_headless(name: str) -> dict[str, float]:
    latents, made, film = edit(name)
    found = {
        "latents": difference(latents, given()[f"{name}: latents"]),
        "film": difference(film, given()[f"{name}: film"]),
        "picture": difference(made[0], given()[f"{name}: picture"]),
    }
    assert latents.shape[2] == (8 if name == "kept" else 2)
    assert max(found.values()) <= 1e-3, found
    return found


def check_two_latent_frames_equal_headless():
    return _equals_headless("plain")


def check_a_drop_after_the_first_step_equals_headless():
    return _equals_headless("dropped at 1")


def check_a_drop_in_the_middle_equals_headless():
    return _equals_headless("dropped at 3")


def check_reasoning_to_the_end_equals_headless():
    found = _equals_headless("kept")
    pair = given()["kept: latents"][:, :, [0, -1]]
    found["effect"] = difference(pair, given()["dropped at 3: latents"])
    assert found["effect"] > 100 * found["latents"]
    return found


def _by_core(base: Any, *, length: int = 5, **rope: float) -> torch.Tensor:
    """Core's own template: ScaleROPE, its conditions, its uni_pc, and no node of this pack's on the model."""
    scaled = {"scale_x": 1.0, "shift_x": 0.0, "scale_y": 1.0, "shift_y": 0.0, "scale_t": 1.0, "shift_t": 0.0}
    return _sampled(call("ScaleROPE", model=base, **scaled | rope)[0] if rope else base, length)


def _sampled(base: Any, length: int) -> torch.Tensor:
    positive, negative, latent = conditioned(picture(0), length=length)
    noise = given()["plain: noise" if length == 5 else "kept: noise"]
    return comfy.sample.sample(
        base,
        noise,
        3,
        4.0,
        "uni_pc",
        "simple",
        positive,
        negative,
        latent["samples"],
        disable_pbar=True,
        seed=1,
    )


def _ours(base: Any, length: int = 5, **rope: float) -> torch.Tensor:
    steps = 0 if length == 5 else STEPS
    if rope:
        straight = {"scale_x": 1.0, "shift_x": 0.0, "scale_y": 1.0, "shift_y": 0.0, "shift_t": 0.0}
        base = call("ScaleROPE", model=base, **straight | rope)[0]
    sampler = comfy.samplers.sampler_object("uni_pc")
    edited = call(
        "ReelpatchEditPicture", model=base, sampler=sampler, sigmas=settings()[1], picture=picture(steps)[0]
    )[0]
    return _sampled(edited, length)


def check_core_s_template_is_reproduced_and_its_times_are_overridden():
    template = _by_core(model(), scale_t=7.0)
    assert difference(_ours(model()), template) == 0
    assert difference(_ours(model(), scale_t=7.0), template) == 0
    assert (
        difference(_ours(model(), scale_t=3.0, scale_x=2.0), _by_core(model(), scale_t=7.0, scale_x=2.0)) == 0
    )
    assert difference(_by_core(model()), template) > 1e-3, "positions say nothing to this model"
    assert difference(_ours(model(), length=29, scale_t=7.0), _by_core(model(), length=29)) == 0


def check_loras_in_diffusers_names_apply_with_no_key_unused():
    changed, added = model(), 0
    for name in ("upsample_lora_diffusers", "paintbrush_lora_diffusers"):
        file = f"{name}.safetensors"
        changed, _, report = call(
            "ReelpatchLoadLora", file=file, model=changed, strength=1.0, how="side path"
        )
        added += len(load_file(FOLDER / file)) // 2
        assert report == f"{file}: {len(load_file(FOLDER / file)) // 2} layers changed."
    merged = model()
    for name in ("upsample_lora_diffusers", "paintbrush_lora_diffusers"):
        merged = call(
            "ReelpatchLoadLora", file=f"{name}.safetensors", model=merged, strength=1.0, how="merged"
        )[0]
    found = difference(edit("plain", changed)[0], edit("plain", merged)[0])
    effect = difference(edit("plain", changed)[0], given()["plain: latents"])
    assert found < 1e-3 < effect / 100
    return {"layers": added, "side path against merged": found, "effect": effect}


def check_core_sees_the_middle_square_that_the_published_preprocessing_sees():
    """Both round to bytes, after a resize by other arithmetic."""
    square = comfy.clip_model.clip_preprocess(given()["smooth"][None], size=224, crop=True)
    found = difference(square, given()["square"])
    assert found <= 2.01 / 255 / 0.26
    return found


def check_what_a_mask_keeps_is_the_picture_s_own():
    mask = torch.zeros(1, 40, 62)
    mask[:, 10:26, 20:44] = 1
    whole = given()["picture"]
    for crop in (-1, 4):
        shown = picture(mask=mask, crop=crop, feather=2, grow=1)
        samples = {"samples": torch.randn(1, 16, 2, *(side // 8 for side in shown[0].fit.size))}
        made, film = call("ReelpatchFinishPicture", samples=samples, vae=vae(), picture=shown[0])
        touched = (made[0] != whole).any(-1)
        assert bool(touched.any())
        assert not bool(touched[:7].any() or touched[:, :17].any() or touched[29:].any())
        assert film.shape == (5, *shown[0].fit.size, 3)
    assert shown[0].picture.shape[1] < 62  # the box alone was worked on


def check_two_samples_are_two_pictures():
    shown = picture()
    height, width = shown[0].fit.size
    samples = {"samples": torch.randn(2, 16, 2, height // 8, width // 8)}
    made, film = call("ReelpatchFinishPicture", samples=samples, vae=vae(), picture=shown[0])
    assert (made.shape, film.shape) == ((2, 40, 62, 3), (10, height, width, 3))
    assert difference(made[0], made[1]) > 1e-2


def check_recipes_are_whole_presets():
    found = {}
    for recipe in ("chronoedit", "chronoedit-8step", "chronoedit-reasoning", "chronoedit-paint"):
        shown = picture(-1, recipe=recipe, instruction="crown", width=0, height=0)
        sampler, sigmas, plan, negative, *_ = call(
            "ReelpatchRecipe", recipe=recipe, steps=0, shift=0.0, cfg=0.0
        )
        found[recipe] = (
            len(sigmas) - 1,
            plan.guidance.scale,
            shown[5],
            shown[2].endswith("a crown"),
            negative,
        )
        assert 0.98 < shown[3] * shown[4] / (1280 * 720) <= 1
        del sampler
    assert found == {
        "chronoedit": (50, 5.0, 5, False, ""),
        "chronoedit-8step": (8, 1.0, 5, False, ""),
        "chronoedit-reasoning": (50, 5.0, 29, False, ""),
        "chronoedit-paint": (8, 1.0, 5, True, ""),
    }
    larger = picture(-1, recipe="chronoedit-upscale", instruction="", width=128, height=96)
    samples = {"samples": torch.zeros(1, 16, 2, larger[4] // 8, larger[3] // 8)}
    made, _ = call("ReelpatchFinishPicture", samples=samples, vae=vae(), picture=larger[0])
    assert tuple(made.shape) == (1, larger[4], larger[3], 3)
    assert larger[3] > 62


def check_what_does_not_fit_is_said():
    shown, (sampler, sigmas, plan, *_) = picture(3), settings()
    given_to_edit = {"model": model(), "sampler": sampler, "sigmas": sigmas, "picture": shown[0]}
    edited, dropping = call("ReelpatchEditPicture", **given_to_edit)
    noise = given()["kept: noise"]

    def sampled(**more: Any) -> Any:
        return run(edited, dropping, sigmas, plan, conditioned(shown, **more), noise)

    core = comfy.samplers.sampler_object("uni_pc")
    masked = {"samples": noise, "noise_mask": torch.ones(1, 1, 4, 6)}
    square, mask = torch.rand(1, 40, 62, 3), torch.ones(1, 64, 64)
    return [
        refused(lambda: call("ReelpatchEditPicture", **given_to_edit | {"model": backbone()}), "16 channels"),
        refused(lambda: call("ReelpatchEditPicture", **given_to_edit | {"sampler": core}), "core's samplers"),
        refused(
            lambda: call("ReelpatchEditPicture", **given_to_edit | {"picture": picture(9)[0]}),
            "the run has 5",
        ),
        refused(lambda: sampled(start_image=None), "shown no picture"),
        refused(lambda: sampled(clip_vision_output=None), "none is connected"),
        refused(
            lambda: run(edited, dropping, sigmas, plan, (*conditioned(picture(0))[:2], masked), noise),
            "2 latent frames long and the latents 8",
        ),
        refused(
            lambda: dropping.sample(None, sigmas, {}, None, noise, None, masked["noise_mask"]), "noise mask"
        ),
        refused(lambda: picture(image=square.repeat(2, 1, 1, 1)), "2 pictures"),
        refused(lambda: picture(mask=mask), "64x64", "62x40"),
        refused(lambda: picture(mask=torch.zeros(1, 40, 62)), "0 everywhere"),
        refused(lambda: picture(feather=3), "none was given"),
        refused(lambda: picture(instruction=" "), "the instruction is empty"),
        refused(
            lambda: picture(recipe="chronoedit-upscale", instruction="", mask=torch.ones(1, 40, 62)),
            "nothing to keep",
        ),
        refused(
            lambda: call(
                "ReelpatchFinishPicture",
                samples={"samples": torch.zeros(1, 16, 2, 9, 9)},
                vae=vae(),
                picture=shown[0],
            ),
            "connect what was sampled",
        ),
    ]


def check_missing_files_of_a_recipe_for_pictures_are_named():
    node = nodes.NODE_CLASS_MAPPINGS["ReelpatchLoadPictureModels"]
    told = node.validate_inputs(recipe="chronoedit-8step")
    for name in ("chrono_edit_14B_fp16", "clip_vision_h", "chronoedit_distill_lora"):
        assert f"{name}.safetensors: https://huggingface.co/" in told, told
    assert "is no recipe that this node loads" in node.validate_inputs(recipe="demo")
