"""What goes wrong slowly or at one place: colours that wander off, joins of windows that show."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.measure.likeness import LEVELS

_NEIGHBOURS = 8  # frames before and after a join that say how much change is usual there


def colour_offset(result: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """By how much the mean colour of an image lies above that of another, [3] in levels of 255; NaN without pixels.

    Shapes: result, truth [H, W, 3] in [0, 1]; where [H, W] bool or 0/1.
    """
    apart = (result.double() - truth.double()).flatten(0, 1)
    if where is not None:
        apart = apart[where.flatten().bool()]
    return LEVELS * apart.mean(0)


@dataclass(frozen=True)
class ColourDrift:
    """How the colour offset of a clip changes from its first frame to its last, in levels of 255.

    `trend` is the way along the straight line that fits it best (least squares), as the length of (R, G, B);
    `largest` is its greatest distance from its mean over time.
    """

    trend: float
    largest: float


def colour_drift(offsets: Tensor) -> ColourDrift | None:
    """The drift of the offsets [F, 3] of a clip's frames, NaN where a frame has none; None of fewer than two.

    An offset that stays the same is the edit's own change of colour, and no drift.
    """
    known = ~offsets.isnan().any(dim=1)
    times = torch.arange(len(offsets), dtype=torch.float64)[known]
    values = offsets[known].double()
    if len(values) < 2:
        return None
    centred = values - values.mean(0)
    from_middle = times - times.mean()
    slope = (from_middle[:, None] * centred).sum(0) / from_middle.square().sum()
    span = times[-1] - times[0]
    return ColourDrift(float(slope.norm() * span), float(centred.norm(dim=1).max()))


@dataclass(frozen=True)
class Join:
    """How much a join of two windows stands out; `frame` is the first of the later window.

    `visibility` is the change at the join over the median change around it, `of_source` the same in the source: where
    the first is no greater than the second or than 1, nothing is seen. Infinite where nothing else changes.
    """

    frame: int
    visibility: float
    of_source: float


def joins(changes: Sequence[float], source_changes: Sequence[float], frames: Sequence[int]) -> list[Join]:
    """The joins before the given frames, from the changes of result and source: item t is from frame t to t + 1.

    Raises: BadInput for a frame that nothing comes before.
    """
    for frame in frames:
        if not 1 <= frame <= len(changes):
            raise BadInput(
                f"a join before frame {frame} was asked for, but the clip has frames 0 to {len(changes)}: "
                "name the first frame of each part but the first.",
                setting="joins",
            )
    apart = {frame - 1 for frame in frames}
    return [
        Join(frame, _prominence(changes, frame - 1, apart), _prominence(source_changes, frame - 1, apart))
        for frame in frames
    ]


def _prominence(changes: Sequence[float], at: int, apart: set[int]) -> float:
    nearby = range(max(0, at - _NEIGHBOURS), min(len(changes), at + _NEIGHBOURS + 1))
    usual = statistics.median([changes[index] for index in nearby if index not in apart] or [0.0])
    if usual == 0:
        return 1.0 if changes[at] == 0 else float("inf")
    return changes[at] / usual
