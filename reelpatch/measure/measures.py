"""Two clips measured against each other, frame by frame, so that no more than a few frames are held as floats."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.measure.drift import ColourDrift, Join, colour_drift, colour_offset, joins
from reelpatch.measure.flicker import warp_error
from reelpatch.measure.likeness import LEVELS, decibels, difference, squared_error, ssim
from reelpatch.measure.optical_flow import flow_both_ways, has_opencv

Frames = NDArray[np.uint8]
Series = tuple[float | None, ...]


@dataclass(frozen=True)
class Flicker:
    """Change beyond motion, in levels of 255, of the result and of its source; the mean and by pair of frames."""

    after: float | None
    before: float | None
    pairs_after: Series
    pairs_before: Series

    @property
    def ratio(self) -> float | None:
        """How many times the source's own it is; 1 where neither flickers."""
        if self.after is None or self.before is None:
            return None
        if self.before == 0:
            return 1.0 if self.after == 0 else math.inf
        return self.after / self.before


@dataclass(frozen=True)
class Measures:
    """What an edit kept, changed and disturbed.

    Outside is where the mask is 0, inside where it is not; without a mask both are the whole picture. None stands for
    what has no pixel or too few frames, and for flicker where OpenCV, which finds motion, is not installed. Units: PSNR in dB; change, flicker and colours in levels of 255.
    """

    frames: int
    has_mask: bool
    psnr_outside: float | None
    ssim_outside: float | None
    changed_outside: int  # 8-bit values that differ
    change_inside: float | None
    flicker: Flicker | None
    flicker_inside: Flicker | None
    drift: ColourDrift | None
    joins: tuple[Join, ...]
    psnr_by_frame: Series
    change_by_frame: Series
    offset_by_frame: tuple[tuple[float, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """In plain types, the series last."""
        flickers = {
            name: one and {"after": one.after, "before": one.before, "ratio": one.ratio}
            for name, one in (("flicker", self.flicker), ("flicker_inside", self.flicker_inside))
            if one is not None or name == "flicker"
        }
        return {
            "frames": self.frames,
            "has_mask": self.has_mask,
            "outside": {
                "psnr_db": self.psnr_outside,
                "ssim": self.ssim_outside,
                "values_changed": self.changed_outside,
            },
            "inside": {"change_levels": self.change_inside},
            **flickers,
            "colour_drift": None if self.drift is None else asdict(self.drift),
            "joins": [asdict(join) for join in self.joins],
            "by_frame": {
                "psnr_outside_db": self.psnr_by_frame,
                "change_inside_levels": self.change_by_frame,
                "colour_offset_levels": self.offset_by_frame,
                "flicker_after": self.flicker and self.flicker.pairs_after,
                "flicker_before": self.flicker and self.flicker.pairs_before,
            },
        }


def measure(
    before: Frames,
    after: Frames,
    mask: Tensor | None = None,
    at: Sequence[int] = (),
    *,
    on_frame: Callable[[], object] = lambda: None,
) -> Measures:
    """All measures of a result against its source; `on_frame` is called `num_steps` times, so that a host can stop it.

    Shapes: before, after [F, H, W, 3] uint8, alike; mask [F, H, W] in [0, 1]. `at` are the first frames of later windows.
    Raises: BadInput for joins outside the clips.
    """
    outside = [None if frame is None else frame == 0 for frame in _frames_of(mask, before)]
    inside = [None if where is None else ~where for where in outside]
    visible = tuple(joins(_changes(after), _changes(before), at))
    found: list[_OfFrame] = []
    for frames in zip(before, after, outside, inside, strict=True):
        on_frame()
        found.append(_of_frame(*frames))
    whole, part = _flickers(before, after, inside, on_frame) if has_opencv() else (None, None)
    errors, counts = sum(one.squared for one in found), sum(one.count for one in found)
    offsets = torch.stack([one.offset for one in found])
    return Measures(
        frames=len(before),
        has_mask=mask is not None,
        psnr_outside=decibels(errors / counts) if counts else None,
        ssim_outside=_mean([one.ssim for one in found]),
        changed_outside=sum(one.changed for one in found),
        change_inside=_mean([one.change for one in found], [one.inside for one in found]),
        flicker=whole,
        flicker_inside=None if mask is None else part,
        drift=colour_drift(offsets),
        joins=visible,
        psnr_by_frame=tuple(decibels(one.squared / one.count) if one.count else None for one in found),
        change_by_frame=tuple(one.change for one in found),
        offset_by_frame=tuple(tuple(offset) for offset in offsets.tolist()),
    )


def num_steps(frames: int) -> int:
    """How often `measure` reports, for clips of so many frames."""
    return frames + (2 * (frames - 1) if has_opencv() else 0)


@dataclass(frozen=True)
class _OfFrame:
    squared: float
    count: int
    changed: int
    ssim: float | None
    change: float | None
    inside: int
    offset: Tensor


def _of_frame(before: Frames, after: Frames, outside: Tensor | None, inside: Tensor | None) -> _OfFrame:
    truth, result = to_floats(before), to_floats(after)
    squared, count = squared_error(result, truth, outside)
    differs = torch.from_numpy(before != after)
    return _OfFrame(
        squared,
        count,
        int((differs if outside is None else differs[outside]).sum()),
        ssim(result, truth, outside),
        difference(result, truth, inside),
        truth[..., 0].numel() if inside is None else int(inside.sum()),
        colour_offset(result, truth, inside),
    )


def _flickers(
    before: Frames, after: Frames, inside: Sequence[Tensor | None], on_frame: Callable[[], object]
) -> tuple[Flicker, Flicker]:
    """In the whole picture, and inside the mask."""
    whole_before, part_before = _flicker_series(before, inside, on_frame)
    whole_after, part_after = _flicker_series(after, inside, on_frame)
    return _flicker(whole_after, whole_before), _flicker(part_after, part_before)


def _flicker_series(
    clip: Frames, inside: Sequence[Tensor | None], on_frame: Callable[[], object]
) -> tuple[list[float | None], list[float | None]]:
    """The flicker of each pair of frames, in the whole picture and inside the mask, in levels of 255."""
    whole: list[float | None] = []
    part: list[float | None] = []
    for index in range(len(clip) - 1):
        on_frame()
        flows = flow_both_ways(clip[index], clip[index + 1])
        frame, following = to_floats(clip[index]), to_floats(clip[index + 1])
        for series, where in ((whole, None), (part, inside[index])):
            error = warp_error(frame, following, *flows, where)
            series.append(None if error is None else LEVELS * error)
    return whole, part


def _flicker(after: list[float | None], before: list[float | None]) -> Flicker:
    return Flicker(_mean(after), _mean(before), tuple(after), tuple(before))


def _changes(clip: Frames) -> list[float]:
    """The mean absolute change from each frame to the next, in levels of 255."""
    return [
        float(np.abs(clip[index].astype(np.int16) - clip[index + 1]).mean()) for index in range(len(clip) - 1)
    ]


def _frames_of(mask: Tensor | None, clip: Frames) -> Sequence[Tensor | None]:
    return [None] * len(clip) if mask is None else list(mask)


def _mean(values: Sequence[float | None], weights: Sequence[int] | None = None) -> float | None:
    pairs = [
        (value, weight)
        for value, weight in zip(values, weights or [1] * len(values), strict=True)
        if value is not None
    ]
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else None
