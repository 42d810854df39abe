"""Which values of a mask's channel are kept and which are edited: labels, two levels, noise of a codec, soft edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d

Plane = NDArray[Any]  # [H, W], one value for each pixel, of 8 or 16 bits

# Segmenters number what they find from 1; a soft mask has brighter parts than this.
_MOST_LABELS = 50
_VOID = 255  # where PASCAL VOC and those who follow it leave open what is shown, mostly the rims of things
# In 255ths: so far from a level a lossy codec may put what was even.
LOSSY_NOISE = 24
_FLOOR = 16
_REACH_PX = 3


@dataclass(frozen=True)
class Levels:
    """Values up to `keep` are 0, from `edit` on 1; between them soft. Where `cut` is set, 1 from it on and 0 below.

    `void` is a value that says nothing of its pixels, which are kept; it goes with a `cut`.
    Units: values as they are stored in the file.
    """

    keep: float
    edit: float
    cut: float | None
    words: str
    void: int | None = None

    def apply(self, plane: Plane) -> NDArray[np.float32]:
        """The mask [H, W] in [0, 1]."""
        if self.cut is not None:
            marked = plane >= self.cut
            return (marked if self.void is None else marked & (plane != self.void)).astype(np.float32)
        ramp = (plane.astype(np.float32) - np.float32(self.keep)) / np.float32(self.edit - self.keep)
        return ramp.clip(0, 1).astype(np.float32)


def find_levels(
    values: Sequence[int], samples: Sequence[Plane], *, full: int, is_lossy: bool, threshold: float | None
) -> Levels:
    """What the values of a channel mean; `values` are all that occur, in rising order, `samples` some of its planes.

    Units: `full` is the largest value that the file can hold; `threshold` in parts of it, 0 leaves values as they are.
    """
    low, high = values[0], values[-1]
    if full > 255 >= high:
        full = 255  # what has 8 bits was put into a file of 16
    has_labels = not is_lossy and 0 < high <= _MOST_LABELS
    if threshold is not None:
        return _asked(threshold, high if has_labels else full)
    if has_labels:
        numbers = "the label 1 is" if high == 1 else f"the labels 1 to {high} are"
        return Levels(0, high, 1, f"{numbers} edited")
    if not is_lossy and full == high == _VOID and _has_void(values, samples):
        return Levels(
            0,
            high,
            1,
            f"labels up to {values[-2]} are edited, and {_VOID}, which marks no label, is kept",
            _VOID,
        )
    if is_constant(low, high, full, is_lossy=is_lossy):
        return Levels(0, full, full / 2, "one value everywhere")
    if len(values) == 2:
        return Levels(low, high, high, f"two values, {low} is kept and {high} is edited")
    return _of_shape(low, high, samples, full=full, is_lossy=is_lossy)


def _has_void(values: Sequence[int], samples: Sequence[Plane]) -> bool:
    """Whether all but the brightest value are labels: small, more than the brightest, and even rather than noise."""
    if len(values) < 3 or not 0 < values[-2] <= _MOST_LABELS:
        return False
    num_void = num_labelled = num_even = 0
    for plane in samples:
        labelled = (plane > 0) & (plane < _VOID)
        num_void += int((plane == _VOID).sum())
        num_labelled += int(labelled.sum())
        num_even += int((labelled[:, 1:] & (plane[:, 1:] == plane[:, :-1])).sum())
    return num_labelled > num_void and num_even > num_labelled / 2


def is_constant(low: float, high: float, full: int, *, is_lossy: bool) -> bool:
    """Whether values differ by no more than a codec makes them differ."""
    return high - low <= (LOSSY_NOISE * full / 255 if is_lossy else 0)


def _of_shape(low: int, high: int, samples: Sequence[Plane], *, full: int, is_lossy: bool) -> Levels:
    has_ramps, has_noise = _shape_of([_scaled(plane, low, high) for plane in samples])
    if has_ramps:
        floor = _FLOOR * full / 255 if is_lossy else 0
        return Levels(floor, full - floor, None, "soft edges, kept as they are")
    if is_lossy or has_noise:
        cut = (low + high) / 2
        return Levels(low, high, cut, f"the codec's noise cut off at {cut:g} of {full}")
    return Levels(low, high, None, f"values from {low} to {high}, with edges as they are")


def _asked(threshold: float, full: int) -> Levels:
    if not threshold:
        return Levels(0, full, None, f"values from 0 to {full} as they are")
    cut = threshold * full
    return Levels(0, full, cut, f"edited from {cut:g} of {full} on")


def _scaled(plane: Plane, low: int, high: int) -> torch.Tensor:
    return torch.from_numpy((plane.astype(np.float32) - low) / (high - low))


def _shape_of(planes: Sequence[torch.Tensor]) -> tuple[bool, bool]:
    """Whether edges are ramps wider than a codec or a drawing program blurs them, and whether even parts are noisy."""
    num_ramp, num_noise, num_edited, num_all = 0, 0, 0, 0
    for plane in planes:
        near_low, near_high = _near(plane <= 0.25), _near(plane >= 0.75)
        middle = (plane > 0.25) & (plane < 0.75)
        num_ramp += int((middle & ~(near_low & near_high)).sum())
        num_edited += int((plane >= 0.5).sum())
        noise = (plane > 0) & (plane <= 0.12) & ~_near(plane >= 0.5)
        noise |= (plane >= 0.88) & (plane < 1) & ~_near(plane < 0.5)
        num_noise += int(noise.sum())
        num_all += plane.numel()
    return num_ramp > 0.05 * (num_edited + num_ramp), num_noise > 0.001 * num_all


def _near(marked: torch.Tensor) -> Any:
    """What lies within a few pixels of what is marked, [H, W]."""
    side = 2 * _REACH_PX + 1
    return max_pool2d(marked.float()[None], side, stride=1, padding=_REACH_PX)[0] > 0
