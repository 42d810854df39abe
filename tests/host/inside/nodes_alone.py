"""What each node makes, and that the pack is light to load and honest about its sockets."""

from __future__ import annotations

from fractions import Fraction

import folder_paths
import torch
from bad_input import refused
from comfy_api.latest import InputImpl, Types
from composition import lora
from safetensors.torch import save_file
from tiny import (
    NUM_LAYERS,
    apply,
    backbone,
    call,
    clip,
    difference,
    files,
    frames,
    module,
    register,
    sample,
    text,
)

import nodes

IDS = {
    *("ReelpatchLoadBackbone", "ReelpatchLoadEditModule", "ReelpatchLoadLora", "ReelpatchDemoTextEncoder"),
    *("ReelpatchClip", "ReelpatchReferences", "ReelpatchApplyEdit", "ReelpatchRecipe", "ReelpatchFlowUniPC"),
    *("ReelpatchGuidanceSchedule", "ReelpatchFinishClip", "ReelpatchTask"),
    *("ReelpatchEnhance", "ReelpatchEditLongClip", "ReelpatchEnhanceLongClip"),
    *("ReelpatchConvertWeights", "ReelpatchEditInContext", "ReelpatchEditByChannels"),
    *("ReelpatchCropToMask", "ReelpatchCompare", "ReelpatchMeasure", "ReelpatchPlan"),
    *("ReelpatchEditInContext", "ReelpatchGroundingFilm"),
    *("ReelpatchLoadModels", "ReelpatchLoadEnhancer", "ReelpatchLoadPictureModels"),
    *("ReelpatchLoadContextModels", "ReelpatchLoadChannelModels"),
    *("ReelpatchPicture", "ReelpatchEditPicture", "ReelpatchFinishPicture", "ReelpatchMaskTrack"),
    *("ReelpatchRewriteInstruction", "ReelpatchLoadPairModels"),
    *("ReelpatchPairedGeneration", "ReelpatchFinishPair"),
    *("ReelpatchResultName", "ReelpatchDittoStyle", "ReelpatchSeveral", "ReelpatchContactSheet"),
}


def check_ids_are_these_forever():
    assert {name for name in nodes.NODE_CLASS_MAPPINGS if name.startswith("Reelpatch")} == IDS


def check_every_input_says_what_it_does():
    for name in IDS:
        schema = nodes.NODE_CLASS_MAPPINGS[name].GET_SCHEMA()
        assert schema.description, name
        assert schema.category.startswith("reelpatch"), name
        sockets = {"model", "positive"}  # their names say it
        for one in schema.inputs:
            assert one.tooltip or one.id in sockets or one.id in {"images", "videos"}, (name, one.id)


def check_import_is_a_small_part_of_the_start():
    """Pack and engine take a quarter of what ComfyUI itself takes at most, and draw no large library in."""
    from __main__ import STARTED

    assert not STARTED["modules"] & {"cv2", "diffusers"}
    assert STARTED["pack_s"] < STARTED["host_s"] / 4, STARTED
    return {"share_of_start": STARTED["pack_s"] / STARTED["host_s"]}


def check_backbone_equals_core_s_loader():
    register()
    ours = call("ReelpatchLoadBackbone", file=files()["backbone"].name, storage="from file", compute="auto")[
        0
    ]
    assert difference(sample(ours), sample(backbone())) == 0
    fp8 = call("ReelpatchLoadBackbone", file=files()["backbone"].name, storage="fp8_e4m3fn", compute="fp32")[
        0
    ]
    stored = fp8.model.diffusion_model.blocks[0].self_attn.q.weight.dtype
    assert stored == torch.float8_e4m3fn, stored
    assert difference(sample(fp8), sample(backbone())) > 0


def _video(num_frames=7, size=(30, 44), fps=Fraction(10)):
    sound = {
        "waveform": torch.arange(int(8000 * num_frames / fps)).reshape(1, 1, -1) / 1e5,
        "sample_rate": 8000,
    }
    images = frames(num_frames, size)
    return images, InputImpl.VideoFromComponents(
        Types.VideoComponents(images=images, audio=sound, frame_rate=fps)
    )


def _fitted(video, **inputs):
    given = {"fit": "pad", "width": 0, "height": 0, "first_frame": 0, "frames": 0, "fps": 0.0, **inputs}
    return call("ReelpatchClip", video=video, **given)


class EchoVae:
    """Decodes to what it is told: the clip as it was worked on."""

    def __init__(self, images):
        self.images = images

    def decode(self, latents):
        assert latents.shape[2] == (len(self.images) - 1) // 4 + 1, latents.shape
        return self.images[None]


def check_clip_and_finish_clip_undo_each_other():
    images, video = _video()
    working, shown, width, height, length, fps = _fitted(video)
    assert (width, height, length, fps) == (48, 32, 9, 10.0)
    assert shown.shape == (9, 32, 48, 3)
    samples = {"samples": torch.zeros(1, 16, 3 + 2, 4, 6)}  # two references in front
    made, out = call("ReelpatchFinishClip", samples=samples, vae=EchoVae(shown), clip=working)
    assert torch.equal(out, images)
    parts = made.get_components()
    assert parts.frame_rate == 10
    assert parts.audio["waveform"].shape[-1] == 5600


def check_finish_clip_keeps_what_the_mask_keeps():
    images, video = _video()
    working, shown, *_ = _fitted(video, fit="stretch", width=64, height=32)
    mask = torch.zeros(1, 30, 44)
    mask[:, :, 22:] = 1
    samples = {"samples": torch.zeros(1, 16, 3, 4, 8)}
    _, out = call("ReelpatchFinishClip", samples=samples, vae=EchoVae(1 - shown), clip=working, mask=mask)
    assert torch.equal(out[:, :, :22], images[:, :, :22])
    assert difference(out[:, :, 22:], images[:, :, 22:]) > 0.1


def check_a_part_at_another_rate_has_its_own_sound():
    images, video = _video(num_frames=20)
    working, shown, _, _, length, fps = _fitted(video, first_frame=4, frames=5, fps=5.0)
    assert (length, fps) == (5, 5.0)
    assert shown.shape == (5, 32, 48, 3)
    assert torch.equal(working.source, images[[4, 6, 8, 10, 12]])
    assert working.sound["waveform"].shape[-1] == 8000
    assert abs(float(working.sound["waveform"][0, 0, 0]) - 3200 / 1e5) < 1e-6


def check_recipes_give_what_is_published():
    sampler, sigmas, guidance, negative, strength, *size = call(
        "ReelpatchRecipe", recipe="ditto-global", steps=0, shift=0.0, cfg=0.0
    )
    assert sampler.sampler_function.__name__ == "sample_flow_unipc"
    assert guidance.guidance.scale == 1.2
    assert guidance.skip_layers.blocks == (2,)
    assert strength == 0.975
    assert size == [832, 480, 73, 24.0, 1, False]
    assert negative.startswith("flickering artifact")
    _, sigmas, guidance, *_ = call("ReelpatchRecipe", recipe="ditto-global", steps=6, shift=5.0, cfg=2.0)
    assert len(sigmas) == 7
    assert guidance.guidance.scale == 2
    _, sigmas, guidance, *_ = call(
        "ReelpatchRecipe", recipe="ditto-global", steps=6, shift=0.0, cfg=0.0, guidance_steps=5
    )
    assert [guidance.guidance.enabled(step) for step in range(6)] == [True] * 5 + [False]
    refused(
        lambda: call("ReelpatchRecipe", recipe="demo", steps=0, shift=0.0, cfg=0.0, guidance_steps=1),
        "'demo' runs without guidance",
    )
    assert call("ReelpatchRecipe", recipe="demo", steps=0, shift=0.0, cfg=0.0)[-2:] == (
        5,
        True,
    )  # frames held, times in the result


def check_frames_and_rate_that_are_typed_go_before_the_recipe_s():
    zero = {"recipe": "ditto-global", "steps": 0, "shift": 0.0, "cfg": 0.0}
    for typed, given in (((0, 0.0), (73, 24.0)), ((49, 12.5), (49, 12.5)), ((-1, -1.0), (0, 0.0))):
        frames, fps = typed
        assert call("ReelpatchRecipe", **zero, frames=frames, fps=fps)[7:9] == given, typed


def check_flow_sampler_starts_from_the_noise_itself():
    """The first sigma of Ditto's schedule is below 1; ComfyUI would scale the noise by it."""
    seen = []
    sampler = call("ReelpatchFlowUniPC", solver="unipc", whole_timesteps=True)[0]
    model = backbone()
    guider = call(
        "ReelpatchGuidanceSchedule", model=model, positive=text(1), cfg=1.0, steps="", skip_blocks="",
        skip_start=0.0, skip_end=1.0,
    )[0]  # fmt: skip
    noise = torch.randn(1, 16, 3, 4, 6)
    guider.sample(
        noise, torch.zeros_like(noise), sampler, torch.tensor([0.9, 0.5, 0.0]), disable_pbar=True, seed=1,
        callback=lambda _step, _x0, x, _total: seen.append(x.clone()),
    )  # fmt: skip
    assert difference(seen[0], noise) < 1e-6


def check_lora_side_path_and_merge():
    mixed = {
        key.replace("lora_down", "lora_A").replace("lora_up", "lora_B"): value
        for key, value in lora().items()
    }
    generator = torch.Generator().manual_seed(11)
    mixed["pipe.vace.vace_blocks.0.self_attn.q.lora_A.default.weight"] = (
        torch.randn(4, 128, generator=generator) * 0.2
    )
    mixed["pipe.vace.vace_blocks.0.self_attn.q.lora_B.default.weight"] = (
        torch.randn(128, 4, generator=generator) * 0.2
    )
    mixed["nothing.like.this.lora_A.weight"] = torch.ones(2, 2)
    folder = files()["module"].parent
    save_file(mixed, folder / "mixed_lora.safetensors")
    folder_paths.add_model_folder_path("loras", str(folder))
    results = {}
    plain_base, plain_module = backbone(), module()
    before = sample(apply(plain_base, plain_module)[0])
    for how in ("side path", "merged"):
        model, patch, report = call(
            "ReelpatchLoadLora", file="mixed_lora.safetensors", model=plain_base, edit_module=plain_module,
            strength=0.7, how=how,
        )  # fmt: skip
        assert f"{2 * NUM_LAYERS + 1} layers changed" in report, report
        assert "nothing.like.this" in report
        results[how] = sample(apply(model, patch)[0])
        assert difference(sample(apply(plain_base, plain_module)[0]), before) == 0, (
            "taking it off is not exact"
        )
    found = difference(results["side path"], results["merged"])
    assert difference(results["merged"], before) > 1e-2
    assert found < 5e-2, found
    return {"side_path_against_merged": found}


def check_full_differences_change_the_model_and_come_off():
    base, folder = backbone(), files()["module"].parent
    before = sample(base)
    save_file(lora(), folder / "one_lora.safetensors")
    width = base.model.diffusion_model.blocks[0].norm3.weight.shape[0]
    generator = torch.Generator().manual_seed(12)
    deltas = {
        "blocks.0.norm3.diff": torch.randn(width, generator=generator),
        "blocks.0.self_attn.o.diff_b": torch.randn(width, generator=generator),
        "blocks.1.diff_m": torch.randn(1, 6, width, generator=generator),
    }
    save_file(
        {f"diffusion_model.{key}": delta for key, delta in deltas.items()} | lora(),
        folder / "diff_lora.safetensors",
    )
    folder_paths.add_model_folder_path("loras", str(folder))
    model, _, report = call(
        "ReelpatchLoadLora", file="diff_lora.safetensors", model=base, strength=1.0, how="side path"
    )
    assert "Not used" not in report, report
    without = call(
        "ReelpatchLoadLora", file="one_lora.safetensors", model=base, strength=1.0, how="side path"
    )[0]
    assert difference(sample(model), sample(without)) > 1e-2
    assert difference(sample(base), before) == 0


def check_a_full_difference_of_the_modulation_acts_adds_up_and_comes_off():
    base, folder = backbone(), files()["module"].parent
    before = sample(base)
    save_file({"diffusion_model.blocks.1.diff_m": torch.ones(1, 6, 128)}, folder / "modulation.safetensors")
    folder_paths.add_model_folder_path("loras", str(folder))
    given = {"file": "modulation.safetensors", "how": "side path"}
    whole = call("ReelpatchLoadLora", model=base, strength=1.0, **given)[0]
    half = call("ReelpatchLoadLora", model=base, strength=0.5, **given)[0]
    twice = call("ReelpatchLoadLora", model=half, strength=0.5, **given)[0]
    changed = sample(whole)
    assert difference(changed, before) > 1e-2
    assert difference(sample(half), changed) > 1e-2
    found = difference(sample(twice), changed)
    assert found < 0.1 * difference(changed, before), found  # rounded to bf16 once more
    assert difference(sample(base), before) == 0
    return {"twice_half_against_whole": found}


def check_two_side_paths_add_up_and_come_off():
    folder = files()["module"].parent
    save_file(lora(), folder / "one_lora.safetensors")
    folder_paths.add_model_folder_path("loras", str(folder))
    base = backbone()
    before = sample(base)
    given = {"file": "one_lora.safetensors", "how": "side path"}
    twice = call(
        "ReelpatchLoadLora",
        model=call("ReelpatchLoadLora", model=base, strength=0.5, **given)[0],
        strength=0.5,
        **given,
    )[0]
    once = call("ReelpatchLoadLora", model=base, strength=1.0, **given)[0]
    assert difference(sample(twice), sample(once)) < 1e-3
    assert difference(sample(once), before) > 1e-2
    assert difference(sample(base), before) == 0


def check_side_path_leaves_fp8_bits_alone():
    register()
    path = files(torch.float8_e4m3fn)["backbone"]
    base = backbone(torch.float8_e4m3fn, dtype=torch.float8_e4m3fn)
    layer = base.model.diffusion_model.blocks[0].self_attn.q
    bits = layer.weight.detach().clone().view(torch.uint8)
    assert layer.weight.dtype == torch.float8_e4m3fn, path
    save_file(lora(), path.parent / "one_lora.safetensors")
    folder_paths.add_model_folder_path("loras", str(path.parent))
    model = call("ReelpatchLoadLora", file="one_lora.safetensors", model=base, strength=1.0, how="side path")[
        0
    ]
    changed = sample(model)
    assert torch.equal(layer.weight.view(torch.uint8), bits)
    assert difference(changed, sample(base)) > 1e-2
    assert torch.equal(layer.weight.view(torch.uint8), bits)


def _context(vae, images, mask):
    model = apply(backbone(), module(), vae=vae, clip=clip(images), mask=mask)[0]
    ((wrapper,),) = [model.get_wrappers("diffusion_model", "reelpatch")]
    return wrapper.edits[0].contexts[0].context


def check_a_full_mask_costs_one_encode_from_the_second_clip_on():
    """With the demo's VAE in ComfyUI's own hands; a fresh one of the same file knows nothing of before."""

    def loaded():
        return call("VAELoader", vae_name="reelpatch_demo_vae.safetensors")[0]

    vae, encodes = loaded(), []
    encode = vae.encode
    vae.encode = lambda pixels: (encodes.append(tuple(pixels.shape)), encode(pixels))[1]
    counts, half = [], torch.ones(1, 32, 48)
    half[:, :, 24:] = 0
    for seed, mask in enumerate((torch.ones(1, 32, 48), torch.ones(9, 32, 48), None, half)):
        before = len(encodes)
        kept = _context(vae, frames(seed=seed), mask)
        counts.append(len(encodes) - before)
        assert torch.equal(kept, _context(loaded(), frames(seed=seed), mask))
    assert counts == [2, 1, 1, 2], counts
    _context(vae, frames(13), None)
    assert len(encodes) == 8, "another length has gray latents of its own"


def check_demo_text_encoder_makes_wan_s_rows():
    clip_model = call("ReelpatchDemoTextEncoder", file="reelpatch_demo_umt5.safetensors")[0]
    ((rows, _),) = call("CLIPTextEncode", clip=clip_model, text="make it sepia")[0]
    assert rows.shape == (1, 512, 4096)
    assert bool(rows[0, :4, :].any())  # three words and the end
    assert not bool(rows[0, 4:].any())
    return {"width_used": int(rows[0, 0].abs().gt(0).nonzero().max()) + 1}


def check_clip_of_images_has_a_rate():
    assert clip(fps=0.0).fps == 16
