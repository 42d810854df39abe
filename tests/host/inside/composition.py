"""An edited MODEL together with what else ComfyUI users put on a model."""

from __future__ import annotations

import comfy.cli_args
import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import comfy.utils
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from tiny import (
    LATENT,
    NUM_LAYERS,
    SIGMAS,
    apply,
    backbone,
    call,
    clip,
    difference,
    frames,
    module,
    noise,
    sample,
    text,
    weights,
)

HINT_BLOCK, OTHER_BLOCK = 2, 1


def edited(**inputs):
    return apply(backbone(), module(), **inputs)[0]


def latent(shape=LATENT, **more):
    return {"samples": torch.zeros(shape), **more}


def ksampler(model, samples=None, seed=5):
    return call(
        "KSampler", model=model, seed=seed, steps=4, cfg=3.0, sampler_name="euler", scheduler="simple",
        positive=text(1), negative=text(2), latent_image=samples or latent(), denoise=1.0,
    )[0]["samples"]  # fmt: skip


def check_ksampler():
    model = edited()
    ours = ksampler(model)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)
    again = sample(model, sigmas=sigmas, noise=torch.randn(LATENT, generator=torch.manual_seed(5)))
    assert difference(ours, again) == 0
    assert difference(ours, ksampler(backbone())) > 0.1


def check_sampler_custom_advanced_with_the_recipe():
    model, samples = apply(backbone(), module())
    sampler, sigmas, guidance, *_ = call(
        "ReelpatchRecipe", recipe="ditto-global", steps=0, shift=0.0, cfg=0.0
    )
    assert [round(s, 5) for s in sigmas.tolist()] == [0.99975, 0.8569, 0.66644, 0.39984, 0.0]
    guider = guided(model, settings=guidance)
    noise_object = call("RandomNoise", noise_seed=5)[0]
    out = call(
        "SamplerCustomAdvanced",
        noise=noise_object,
        guider=guider,
        sampler=sampler,
        sigmas=sigmas,
        latent_image=samples,
    )[0]["samples"]
    assert out.shape == LATENT
    assert torch.isfinite(out).all()


def guided(model, **inputs):
    given = {"cfg": 1.0, "steps": "", "skip_blocks": "", "skip_start": 0.0, "skip_end": 1.0, **inputs}
    return call("ReelpatchGuidanceSchedule", model=model, positive=text(1), negative=text(2), **given)[0]


def run_guider(guider, **inputs):
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(noise(), torch.zeros(LATENT), sampler, SIGMAS, disable_pbar=True, seed=5, **inputs)


def check_guidance_schedule_equals_cfg_where_it_is_on_everywhere():
    model = edited()
    assert difference(run_guider(guided(model, cfg=3.0)), sample(model)) == 0


def check_guidance_on_no_step_equals_guidance_1():
    model = edited()
    assert difference(run_guider(guided(model, cfg=3.0, steps="9")), sample(model, cfg=1.0)) == 0


def check_guidance_costs_a_second_row_only_where_it_is_on():
    model = edited()
    rows = []
    watched = model.clone()
    watched.set_model_unet_function_wrapper(
        lambda run, args: (
            rows.append(len(args["input"])),
            run(args["input"], args["timestep"], **args["c"]),
        )[1]
    )
    run_guider(guided(watched, cfg=3.0, steps="0,2"))
    assert rows == [2, 1, 2, 1], rows


def check_skipped_blocks_in_the_negative_pass_equal_core_s_own():
    model = edited()
    theirs = call(
        "SkipLayerGuidanceDiTSimple", model=model, double_layers=str(OTHER_BLOCK), single_layers="",
        start_percent=0.0, end_percent=1.0,
    )[0]  # fmt: skip
    ours = run_guider(guided(model, cfg=3.0, skip_blocks=str(OTHER_BLOCK)))
    found = difference(ours, sample(theirs))
    assert found <= 1e-4, found
    assert difference(ours, sample(model)) > 1e-3
    return {"max_abs_diff": found}


def check_model_sampling_sd3():
    shifted = call("ModelSamplingSD3", model=edited(), shift=3.0)[0]
    assert difference(ksampler(shifted), ksampler(edited())) > 1e-3
    after = apply(call("ModelSamplingSD3", model=backbone(), shift=3.0)[0], module())[0]
    assert difference(ksampler(shifted), ksampler(after)) == 0


def lora():
    generator = torch.Generator().manual_seed(9)
    names = [
        f"diffusion_model.blocks.{i}.{layer}" for i in range(NUM_LAYERS) for layer in ("self_attn.q", "ffn.0")
    ]
    state = {}
    for name in names:
        rows, columns = weights()[name.removeprefix("diffusion_model.") + ".weight"].shape
        state[f"{name}.lora_down.weight"] = torch.randn(4, columns, generator=generator) * 0.2
        state[f"{name}.lora_up.weight"] = torch.randn(rows, 4, generator=generator) * 0.2
    return state


def check_native_lora_before_and_after_apply():
    import comfy.sd

    base, patch = backbone(), module()
    first = apply(comfy.sd.load_lora_for_models(base, None, lora(), 1.0, 0)[0], patch)[0]
    last = comfy.sd.load_lora_for_models(apply(base, patch)[0], None, lora(), 1.0, 0)[0]
    assert difference(sample(first), sample(last)) == 0
    assert difference(sample(first), sample(apply(base, patch)[0])) > 1e-2


def _slg(model, block):
    return call(
        "SkipLayerGuidanceDiT", model=model, double_layers=str(block), single_layers="", scale=2.0,
        start_percent=0.0, end_percent=1.0, rescaling_scale=0.0,
    )[0]  # fmt: skip


def check_skip_layer_guidance_before_and_after_apply_is_the_same():
    for block in (HINT_BLOCK, OTHER_BLOCK):
        before = apply(_slg(backbone(), block), module())[0]
        after = _slg(edited(), block)
        assert difference(sample(before), sample(after)) == 0, block
        assert difference(sample(after), sample(edited())) > 1e-3, block


def check_the_hint_of_a_skipped_block_survives():
    """A pass that goes around the hint's block still differs with the strength of the edit, and calls the skip."""
    outputs = []
    for strength in (1.0, 0.0):
        model = edited(strength=strength).clone()
        for block in range(NUM_LAYERS):
            model.set_model_patch_replace(lambda args, _extra: args, "dit", "double_block", block)
        outputs.append(sample(model, cfg=1.0))
    assert difference(*outputs) > 0.1


def check_skip_hints_leaves_out_the_hint_of_a_skipped_block():
    """On two chained edits, whatever stands on the blocks: with every block skipped, nothing is left of either."""

    def around_all(model):
        skipping = model.clone()
        for block in range(NUM_LAYERS):
            skipping.set_model_patch_replace(lambda args, _extra: args, "dit", "double_block", block)
        return sample(skipping, cfg=1.0)

    base, patch = backbone(), module()
    without = around_all(base)
    one = apply(base, patch, skip_hints=True)[0]
    assert difference(around_all(one), without) == 0
    assert (
        difference(around_all(apply(one, patch, clip=clip(frames(seed=2)), skip_hints=True)[0]), without) == 0
    )
    assert difference(around_all(apply(one, patch, clip=clip(frames(seed=2)))[0]), without) > 0.1


def check_skip_hints_changes_nothing_where_no_block_with_a_hint_is_skipped():
    for on in (False, True):
        model = edited(skip_hints=on)
        assert difference(sample(model), sample(edited())) == 0
        assert difference(sample(_slg(model, OTHER_BLOCK)), sample(_slg(edited(), OTHER_BLOCK))) == 0
    ours, theirs = (sample(_slg(edited(skip_hints=on), HINT_BLOCK)) for on in (False, True))
    assert difference(ours, theirs) > 1e-3


def counted(model):
    """How often the first block was called in a run, and what came out."""
    calls = []
    seen = model.clone()
    seen.set_model_patch_replace(
        lambda args, extra: (calls.append(1), extra["original_block"](args))[1], "dit", "double_block", 0
    )
    out = sample(seen)
    return len(calls), out


def check_easy_cache():
    model = edited()
    cached = call(
        "EasyCache", model=model, reuse_threshold=3.0, start_percent=0.0, end_percent=1.0, verbose=False
    )[0]
    never = call(
        "EasyCache", model=model, reuse_threshold=0.0, start_percent=0.0, end_percent=1.0, verbose=False
    )[0]
    assert difference(sample(never), sample(model)) == 0
    calls, out = counted(cached)
    assert calls < counted(model)[0], "nothing is saved"
    assert torch.isfinite(out).all()
    assert difference(out, sample(backbone())) > 0.1


def _windowed(model, length=9, overlap=4):
    return call(
        "WanContextWindowsManual", model=model, context_length=length, context_overlap=overlap,
        context_schedule="standard_static", context_stride=1, closed_loop=False, fuse_method="pyramid",
        freenoise=False,
    )[0]  # fmt: skip


def check_wan_context_windows_show_each_window_its_own_context():
    long, shape = frames(33), (1, 16, 9, 4, 6)
    changed = long.clone()
    changed[24:] = 1 - changed[24:]  # latent frames 6 to 8
    # One step: from the second on, windows hear of each other through the frames they share.
    outputs = [
        sample(_windowed(edited(clip=clip(one))), latent=torch.zeros(shape), sigmas=torch.tensor([1.0, 0.0]))
        for one in (long, changed)
    ]
    assert outputs[0].shape == shape
    assert difference(outputs[0][:, :, :1], outputs[1][:, :, :1]) == 0
    assert difference(outputs[0][:, :, 7:], outputs[1][:, :, 7:]) > 1e-3


def check_one_window_over_all_frames_is_no_window():
    assert difference(sample(_windowed(edited(), length=81)), sample(edited())) == 0


def check_noise_mask_keeps_the_rest():
    mask = torch.zeros(1, 1, 3, 4, 6)
    mask[..., 3:] = 1
    start = noise(seed=8)
    out = ksampler(edited(), {"samples": start, "noise_mask": mask})
    assert difference(out[..., :3], start[..., :3]) < 1e-4
    assert difference(out[..., 3:], start[..., 3:]) > 0.1


def check_a_batch_of_two_is_two_runs():
    model = edited()
    both = noise((2, *LATENT[1:]))
    together = sample(model, latent=torch.zeros(2, *LATENT[1:]), noise=both)
    for row in range(2):
        alone = sample(model, noise=both[row : row + 1])
        assert difference(together[row : row + 1], alone) <= 1e-4


def check_odd_latents():
    out = sample(edited(), latent=torch.zeros(1, 16, 3, 3, 5))
    assert out.shape == (1, 16, 3, 3, 5)
    assert torch.isfinite(out).all()


def check_no_state_leaks_from_run_to_run():
    base, patch = backbone(), module()
    before = sample(base)
    model = apply(base, patch)[0]
    first = sample(model)
    other = sample(model, positive=text(7))
    assert difference(first, other) > 1e-3
    assert difference(sample(model), first) == 0
    assert difference(sample(base), before) == 0
    assert "patches_replace" not in model.model_options["transformer_options"]


def check_cancel_in_mid_run_then_run_again():
    model = edited()
    before = sample(model)

    def cancel(step, *_):
        if step == 1:
            comfy.model_management.interrupt_current_processing()

    try:
        sample(model, callback=cancel)
    except comfy.model_management.InterruptProcessingException:
        pass
    else:
        raise AssertionError("ran to the end")
    assert difference(sample(model), before) == 0


def check_two_modules_on_one_base_one_after_the_other():
    base, one, other = backbone(), module(), module(torch.float32)
    other.add_patches({"vace_blocks.0.after_proj.weight": (torch.randn(128, 128) * 0.5,)}, 1.0)
    first, second = apply(base, one)[0], apply(base, other)[0]
    results = [sample(model) for model in (first, second, first, second)]
    assert difference(results[0], results[1]) > 1e-2
    assert difference(results[0], results[2]) == 0
    assert difference(results[1], results[3]) == 0


def check_the_module_is_loaded_and_counted_by_comfyui():
    model = edited()
    (patcher,) = model.get_nested_additional_models()
    assert isinstance(patcher, comfy.model_patcher.ModelPatcher)
    sample(model)
    loaded = [one.model.model for one in comfy.model_management.current_loaded_models]
    assert patcher.model in loaded
    asked = []
    plain = backbone()
    for one in (plain, model):
        counted = one.clone()
        counted.add_wrapper_with_key(
            "prepare_sampling",
            "zz",
            lambda run, m, shape, *a, **k: (asked.append(list(shape)), run(m, shape, *a, **k))[1],
        )
        sample(counted)
    assert asked[0] == list(LATENT)
    assert asked[1][2] > asked[0][2], asked


def check_window_of_steps():
    whole, none = sample(edited()), sample(backbone())
    late = sample(edited(start=0.5))
    empty = sample(edited(start=0.3, end=0.4))  # between steps 1 and 2
    assert difference(empty, none) == 0
    assert difference(late, none) > 1e-3
    assert difference(late, whole) > 1e-3


def check_references_make_the_latents_longer():
    references = call("ReelpatchReferences", images={"image_0": frames(2), "image_1": frames(1, (40, 20))})[0]
    assert len(references) == 3
    model, samples = apply(backbone(), module(), references=references)
    assert samples["samples"].shape == (1, 16, 6, 4, 6)
    longer, samples = apply(model, module(), clip=clip(frames(seed=2)))
    assert samples["samples"].shape == (1, 16, 6, 4, 6)
    assert torch.isfinite(sample(longer, latent=samples["samples"])).all()


def check_blocks_compiled_one_by_one_make_the_same():
    """The last, as what it draws in would be gone through by every later collection of garbage."""
    model = edited()
    compiled = model.clone()
    blocks = [f"diffusion_model.blocks.{index}" for index in range(NUM_LAYERS)]
    set_torch_compile_wrapper(compiled, backend="eager", keys=blocks)  # traced as for any backend
    found = difference(sample(compiled), sample(model))
    assert found <= 1e-4, found
    return {"max_abs_diff": found}
