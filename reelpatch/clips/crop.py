"""Crop and stitch: a small mask is edited in a box that moves with it, at full resolution, and put back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.clips.finish import MOST_PX
from reelpatch.clips.frames import Size
from reelpatch.clips.mask_cover import Cover
from reelpatch.errors import BadInput

_SMOOTH_FRAMES = 4.0  # deviation of the Gaussian that steadies the box


@dataclass(frozen=True)
class CropPlan:
    """One box for each frame, all of one size; it holds the whole mask of its frame and lies in the picture.

    Units: pixels; `size` and `source_size` are (height, width), `corners` (top, left) by frame.
    """

    source_size: Size
    size: Size
    corners: tuple[tuple[int, int], ...]

    @property
    def savings(self) -> float:
        """How many times fewer pixels, and so tokens, are worked on."""
        return self.source_size[0] * self.source_size[1] / (self.size[0] * self.size[1])

    def describe(self) -> str:
        """One sentence for the person whose clip it is."""
        inner, outer = (f"{width}x{height}" for height, width in (self.size, self.source_size))
        return f"Only a box of {inner} that follows the mask is edited, out of {outer}: {self.savings:.1f} times fewer pixels."


def plan_crop(mask: Tensor, *, multiple: int, margin_px: int = 16) -> CropPlan:
    """The smallest box of legal size that holds the mask of every frame and a margin, moving smoothly with it.

    Legal sides are multiples of `multiple`. Where the picture ends, the margin does, and a side that it cannot hold becomes
    the picture's own.

    Shapes: mask [F, H, W], with what is edited above 0.
    Raises: BadInput for a mask that is 0 everywhere, and for a margin that is negative or larger than any clip.
    """
    if not 0 <= margin_px <= MOST_PX:
        raise BadInput(f"the margin of the crop is {margin_px} pixels: use 0 to {MOST_PX}.", setting="crop")
    is_edited = mask > 0
    Cover.of(mask).check_any()
    rows, row_size = _axis(is_edited.any(2), margin_px, multiple)
    columns, column_size = _axis(is_edited.any(1), margin_px, multiple)
    size = mask.shape[1], mask.shape[2]
    return CropPlan(size, (row_size, column_size), tuple(zip(rows, columns, strict=True)))


def crop(clip: Tensor, plan: CropPlan) -> Tensor:
    """The boxes of a clip, [F, H, W, ...] -> [F, *plan.size, ...], bit for bit."""
    height, width = plan.size
    return torch.stack(
        [
            frame[top : top + height, left : left + width]
            for frame, (top, left) in zip(clip, plan.corners, strict=True)
        ]
    )


def stitch(edited: Tensor, plan: CropPlan, source: Tensor) -> Tensor:
    """The source with the boxes replaced.

    Shapes: edited [F, *plan.size, 3]; source, result [F, H, W, 3].
    Guarantees: outside the boxes the source's values, bit for bit.
    """
    result = source.clone()
    height, width = plan.size
    for frame, box, (top, left) in zip(result, edited, plan.corners, strict=True):
        frame[top : top + height, left : left + width] = box.to(source)
    return result


def _axis(is_edited: Tensor, margin: int, multiple: int) -> tuple[list[int], int]:
    """Where the box begins in each frame, and its length, along one axis; is_edited [F, length]."""
    length = is_edited.shape[1]
    spans = [
        (int(line.nonzero()[0]), int(line.nonzero()[-1]) + 1) if line.any() else None for line in is_edited
    ]
    widest = max(last - first for first, last in filter(None, spans))
    needed = -(-(widest + 2 * margin) // multiple) * multiple
    room = needed if needed <= length else length
    middles = _smoothed([None if span is None else (span[0] + span[1]) / 2 for span in spans])
    starts: list[int] = []
    for middle, span in zip(middles, spans, strict=True):
        lowest, highest = 0, length - room
        if span is not None:
            lowest, highest = max(lowest, span[1] - room), min(highest, span[0])
        starts.append(min(max(round(middle - room / 2), lowest), highest))
    return starts, room


def _smoothed(values: list[float | None]) -> list[float]:
    """The weighted mean of what is known around each frame; frames with nothing to follow find their neighbours."""
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    times, places = (torch.tensor(column, dtype=torch.float64) for column in zip(*known, strict=True))
    distance = (torch.arange(len(values), dtype=torch.float64)[:, None] - times) / _SMOOTH_FRAMES
    weights = torch.softmax(-distance.square() / 2, dim=1)
    return (weights @ places).tolist()
