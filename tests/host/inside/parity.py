"""An edited MODEL against core's own merged VACE model."""

from __future__ import annotations

import comfy.latent_formats
import torch
from tiny import (
    FP8,
    apply,
    backbone,
    call,
    clip,
    difference,
    files,
    frames,
    merged,
    module,
    register,
    sample,
    text,
)


def _vace_text(seed: int, contexts: list[torch.Tensor], strengths: list[float]) -> list:
    """Conditioning as WanVaceToVideo makes it, from contexts [96, T, h, w] of the engine's."""
    back = comfy.latent_formats.Wan21().process_out
    frames = [torch.cat([back(c[None, :16]), back(c[None, 16:32])], dim=1) for c in contexts]
    masks = [c[None, 32:] for c in contexts]
    return text(seed, vace_frames=frames, vace_mask=masks, vace_strength=strengths)


def _contexts(model) -> list[torch.Tensor]:
    wrappers = model.get_wrappers("diffusion_model", "reelpatch")
    return [context.context for wrapper in wrappers for edit in wrapper.edits for context in edit.contexts]


def _compare(
    file_dtype: torch.dtype, *, strengths: tuple[float, ...] = (0.975,), cfg: float = 3.0, **storage
) -> dict:
    everything = bool(storage)
    base = backbone(file_dtype, everything=everything, **storage)
    patch = module(file_dtype, everything=everything)
    whole = merged(file_dtype, everything=everything, **storage)
    return compared(base, patch, whole, strengths=strengths, cfg=cfg)


def compared(base, patch, whole, *, strengths: tuple[float, ...] = (0.975,), cfg: float = 3.0) -> dict:
    model = base
    for seed, strength in enumerate(strengths):
        model, latent = apply(model, patch, strength=strength, clip=clip(frames(seed=seed)))
    ours = sample(model, cfg=cfg, latent=latent["samples"])
    contexts = _contexts(model)
    theirs = sample(
        whole,
        cfg=cfg,
        positive=_vace_text(1, contexts, list(strengths)),
        negative=_vace_text(2, contexts, list(strengths)),
        latent=latent["samples"],
    )
    plain = sample(base, cfg=cfg, latent=latent["samples"])
    found = difference(ours, theirs)
    assert found <= 1e-4, found
    assert difference(ours, plain) > 0.1, "the edit does nothing"
    return {"max_abs_diff": found, "edit_changes": difference(ours, plain)}


def check_bf16_files_with_guidance():
    return _compare(torch.bfloat16)


def check_fp32_files_with_guidance():
    return _compare(torch.float32)


def check_fp8_files_with_guidance():
    return _compare(FP8)


def check_fp8_storage_with_guidance():
    """Everything that core stores in fp8 when it is told to, in fp8 on both sides."""
    found = _compare(FP8, dtype=FP8)
    weight = module(FP8, everything=True).model.vace_blocks[0].self_attn.q.weight
    assert weight.dtype == FP8
    return found


def check_without_guidance():
    return _compare(torch.bfloat16, cfg=1.0)


def check_in_context_windows_as_core_slices_its_own_context():
    """33 frames in windows of 9, the frame before each window put in front of it."""

    def windowed(model):
        return call(
            "WanContextWindowsManual", model=model, context_length=9, context_overlap=4,
            context_schedule="standard_static", context_stride=1, closed_loop=False, fuse_method="pyramid",
            freenoise=False,
        )[0]  # fmt: skip

    model, latent = apply(backbone(), module(), clip=clip(frames(33)))
    contexts = _contexts(model)
    given = {"positive": _vace_text(1, contexts, [1.0]), "negative": _vace_text(2, contexts, [1.0])}
    ours = sample(windowed(model), latent=latent["samples"])
    found = difference(ours, sample(windowed(merged()), latent=latent["samples"], **given))
    assert found <= 1e-4, found
    assert difference(ours, sample(model, latent=latent["samples"])) > 1e-3, "no windows"
    return {"max_abs_diff": found}


def check_two_edits_on_one_model_are_two_stacked_contexts():
    return _compare(torch.bfloat16, strengths=(1.0, 0.5))


def check_strength_0_is_the_plain_backbone():
    edited, _ = apply(backbone(), module(), strength=0.0)
    assert difference(sample(edited), sample(backbone())) == 0


def check_the_module_of_a_merged_checkpoint_is_the_module():
    register()
    path = files()["merged"]
    patch = call("ReelpatchLoadEditModule", file=path.name)[0]
    base = call("ReelpatchLoadBackbone", file=path.name, storage="from file", compute="auto")[0]
    taken, _ = apply(base, patch)
    whole, _ = apply(backbone(), module())
    assert difference(sample(taken), sample(whole)) == 0
