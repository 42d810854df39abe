"""Measure: what an edit kept, changed and disturbed, in figures and drawn over the frames."""

import json
import math
import re
from typing import Any

import comfy.utils
import numpy as np
import torch
from comfy_api.latest import io, ui
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.clips.masks import build_mask
from reelpatch.errors import BadInput
from reelpatch.measure.measures import measure, num_steps

from .incoming_clip import FORMS, pair_of

_SHOWN = 40  # of what is no number


class Measure(io.ComfyNode):
    """The same figures as `reelpatch measure` gives."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchMeasure",
            display_name="Measure",
            category="reelpatch/look",
            description=(
                "Measures an edited clip against its source: what stayed outside the mask (PSNR, SSIM, values that "
                "differ), how much changed inside, flicker, drift of colours, and whether joins of windows show."
            ),
            search_aliases=["psnr", "ssim", "flicker", "quality", "metrics", "preservation"],
            inputs=[
                io.MultiType.Input(
                    "before", FORMS, tooltip="The clip as it was: video clip of Clip, a VIDEO or frames."
                ),
                io.MultiType.Input(
                    "after", FORMS, tooltip="The clip as it became, of the same length and size."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "What was to be edited (above 0); everything else is outside. One for all frames or one for "
                        "each, of the clips' size. Without it, both measures are of the whole picture."
                    ),
                ),
                io.String.Input(
                    "joins",
                    default="",
                    optional=True,
                    tooltip="The first frames of later windows, counted from 0, such as 69,138; empty for none.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="figures", tooltip="The lines that stand on the node."),
                io.Image.Output(display_name="plot", tooltip="The measures over the frames."),
                io.String.Output(display_name="JSON", tooltip="All figures, by frame too."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, before: Any, after: Any, mask: Tensor | None = None, joins: str = "") -> io.NodeOutput:
        # Both wait for Pillow until they draw.
        from reelpatch.measure.plot import plot
        from reelpatch.measure.report import report

        first, second = (to_bytes(one.frames) for one in pair_of(before, after))
        frames, height, width, _ = first.shape
        where = (
            None if mask is None else build_mask(mask.cpu(), None, frames=frames, height=height, width=width)
        )
        progress = comfy.utils.ProgressBar(num_steps(frames))
        found = measure(first, second, where, _frame_numbers(joins), on_frame=lambda: progress.update(1))
        text = report(found)
        picture = torch.from_numpy(np.asarray(plot(found), np.float32) / 255)[None]
        figures = json.dumps(_finite(found.as_dict()))
        shown = {**ui.PreviewImage(picture, cls=cls).as_dict(), "text": (text,)}  # which js/text.js shows
        return io.NodeOutput(text, picture, figures, ui=shown)


def _frame_numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise BadInput(
            f"joins is '{text[:_SHOWN]}': give frame numbers with commas between them, such as 69,138."
        )
    return tuple(int(part) for part in parts)


def _finite(value: Any) -> Any:
    """JSON has no infinity (the PSNR of equal clips) and no NaN: they become null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
