"""Whether an edit in context was done: `judge.py`'s rules where the mask is whole, and how a ramp goes from one end to the other.

Thresholds were set before any trained result was seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reelpatch.headless.demo.context_scenes import ContextExample
from reelpatch.headless.demo.judge import Verdict, judge, psnr_db
from reelpatch.headless.demo.scenes import Frames

MIN_UNTOUCHED_DB = 30.0  # where a ramp has not begun
MOST_BACKWARDS = 0.05  # by how much a frame of a ramp may be less edited than the one before it
MIN_CHANGE = 0.1  # of a channel, for a pixel to tell how far an edit is


def judge_in_context(one: ContextExample, result: Frames) -> Verdict:
    """The verdict on `result` `[F, H, W, 3]` in [0, 1]."""
    return _ramped(one, result) if one.asked == "ramp" else judge(one.example, result)


def _ramped(one: ContextExample, result: Frames) -> Verdict:
    """Right at both ends, and monotone between them."""
    example, mask = one.example, one.example.mask
    wholly, not_yet = (mask >= 1).astype(np.float32), mask <= 0
    at_end = judge(replace(example, mask=wholly, target=one.whole), result)
    is_untouched = psnr_db(result, example.source, not_yet) >= MIN_UNTOUCHED_DB
    steps = np.diff(progress(one, result)) * np.sign(mask[-1].mean() - mask[0].mean())
    return replace(at_end, hit=at_end.hit and is_untouched and bool((steps >= -MOST_BACKWARDS).all()))


def progress(one: ContextExample, result: Frames) -> Frames:
    """How far every frame is on the way from the source to the whole edit, `[F]`: 0 at the source, 1 where all is edited."""
    change = one.whole - one.example.source
    change = np.where(np.abs(change) > MIN_CHANGE, change, 0)
    along = ((result - one.example.source) * change).sum(axis=(1, 2, 3))
    return along / np.maximum(np.square(change).sum(axis=(1, 2, 3)), 1e-6)
