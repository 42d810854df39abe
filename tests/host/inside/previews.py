"""What ComfyUI shows while an edited MODEL samples."""

from __future__ import annotations

import comfy.cli_args
import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import comfy.utils
from composition import edited, ksampler
from tiny import (
    LATENT,
    sample,
)

HINT_BLOCK, OTHER_BLOCK = 2, 1


def check_previews_get_every_step():
    seen = []
    sample(edited(), callback=lambda step, x0, _x, total: seen.append((step, tuple(x0.shape), total)))
    assert seen == [(i, LATENT, 4) for i in range(4)], seen


def check_previews_are_pictures_of_the_latents():
    """As the browser gets them: KSampler's own callback, one small picture for each step."""
    pictures = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview, **_: pictures.append((value, total, preview))
    )
    args = comfy.cli_args.args
    standing, args.preview_method = args.preview_method, comfy.cli_args.LatentPreviewMethod.Latent2RGB
    try:
        ksampler(edited())
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
        args.preview_method = standing
    shown = [(value, total, preview[1].size) for value, total, preview in pictures if preview]
    assert shown == [(step, 4, (LATENT[4], LATENT[3])) for step in range(1, 5)], pictures
