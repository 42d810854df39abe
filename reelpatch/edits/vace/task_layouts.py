"""What a VACE-type model can be asked to do, and the source video, mask and references that ask it.

Gray stands for what is to be made up, mask 1 for what may change; kept frames and pixels have mask 0. Each function
here lays one task out; `reelpatch.edits.vace.tasks` names them and brings a user's material to them.
Source: ali-vilab/VACE, `vace/annotators` (commit 48eb44f).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import torch
from torch import Tensor

from reelpatch.clips.frames import Box, Size
from reelpatch.edits.vace.context import EDITED_ABOVE, GRAY
from reelpatch.errors import BadInput

_MOST_EXPANSION = 4  # sides beyond this leave next to nothing of the picture at the working size


@dataclass(frozen=True, eq=False)
class VaceInput:
    """What a VACE context is built from.

    Shapes: clip [F, H, W, 3], mask [F, H, W] (1 = make up, 0 = keep) and references [h, w, 1 | 3 | 4] in [0, 1].
    """

    clip: Tensor
    mask: Tensor
    references: tuple[Tensor, ...] = ()

    def with_references(self, references: Sequence[Tensor]) -> "VaceInput":
        """The same with these stills to look at, in this order."""
        return replace(self, references=tuple(references))

    @property
    def hard_mask(self) -> Tensor:
        """Where pixels are made up: the mask as the model's pixel channels see it, 0 or 1."""
        return (self.mask > EDITED_ABOVE).float()


@dataclass(frozen=True)
class Sides:
    """How far a picture grows on each side, in parts of its height (up, down) or width (left, right)."""

    up: float = 0.0
    down: float = 0.0
    left: float = 0.0
    right: float = 0.0

    def __post_init__(self) -> None:
        for name, part in vars(self).items():
            if not isfinite(part) or not 0 <= part <= _MOST_EXPANSION:
                raise BadInput(
                    f"the picture cannot grow by {part:g} on the side '{name}': give parts of its own size from 0 to "
                    f"{_MOST_EXPANSION}, such as 0.25."
                )

    def margins(self, size: Size) -> tuple[int, int, int, int]:
        """Pixels to add (up, down, left, right); parts of a pixel are dropped.

        Raises: BadInput when no side grows by a pixel.
        """
        height, width = size
        margins = (
            int(self.up * height),
            int(self.down * height),
            int(self.left * width),
            int(self.right * width),
        )
        if not any(margins):
            raise BadInput(
                "no side of the picture grows: name at least one with the part of its size to add, such as left=0.25."
            )
        return margins


def control(clip: Tensor, mask: Tensor | None = None) -> VaceInput:
    """The clip as it is: the picture to restyle or a map to follow, everywhere or where the mask says."""
    return VaceInput(clip, torch.ones(clip.shape[:3]) if mask is None else mask)


def inpaint(clip: Tensor, mask: Tensor) -> VaceInput:
    """The clip with gray where the mask is above one half."""
    hole = (mask > EDITED_ABOVE)[..., None]
    return VaceInput(torch.where(hole, GRAY, clip), mask)


def outpaint(clip: Tensor, sides: Sides) -> VaceInput:
    """The clip on a larger gray canvas.

    Raises: BadInput when no side grows.
    """
    frames, height, width, _ = clip.shape
    up, down, left, right = sides.margins((height, width))
    inner = (slice(None), slice(up, up + height), slice(left, left + width))
    canvas = torch.full((frames, up + height + down, left + width + right, 3), GRAY)
    mask = torch.ones(canvas.shape[:3])
    canvas[inner] = clip
    mask[inner] = 0
    return VaceInput(canvas, mask)


def extend(first: Tensor | None, last: Tensor | None, frames: int, size: Size) -> VaceInput:
    """`frames` frames that begin with `first` and end with `last`, gray between, before or after.

    Shapes: first and last [f, *size, 3]; one frame is an image, several are a clip.
    Raises: BadInput when there is nothing to extend, or no frame left to make up.
    """
    given = [part for part in (first, last) if part is not None]
    num_given = sum(len(part) for part in given)
    if not given:
        raise BadInput("there is nothing to extend: give the first frames, the last ones or both.")
    if num_given >= frames:
        raise BadInput(
            f"the frames to keep are {num_given}, which leaves none of {frames} to make up: give fewer of them, or ask "
            "for more frames in all.",
            setting="frames",
        )
    clip, mask = _blank(frames, size)
    if first is not None:
        clip[: len(first)], mask[: len(first)] = first, 0
    if last is not None:
        clip[-len(last) :], mask[-len(last) :] = last, 0
    return VaceInput(clip, mask)


def keep_frames(clip: Tensor, kept: Collection[int]) -> VaceInput:
    """The chosen frames of a clip, counted from 0, where they stand; gray for all others.

    Raises: BadInput for frames the clip does not have, and when none or all are kept.
    """
    frames = len(clip)
    beyond = sorted(index for index in kept if not 0 <= index < frames)
    if beyond:
        raise BadInput(
            f"there is no frame {beyond[0]} to keep: the clip worked on has {frames}, so give numbers from 0 to {frames - 1}."
        )
    if not 0 < len(set(kept)) < frames:
        raise BadInput(
            f"{len(set(kept))} of {frames} frames would be kept: keep at least one, and leave one to make up."
        )
    mask = torch.ones(clip.shape[:3])
    mask[sorted(set(kept))] = 0
    return inpaint(clip, mask)


def reference(frames: int, size: Size) -> VaceInput:
    """Nothing but gray: everything is made up, from the words and the references."""
    return VaceInput(*_blank(frames, size))


def move(image: Tensor, start: Box, end: Box, frames: int) -> VaceInput:
    """The image, then frames that show nothing but where its object goes: a black outline on white.

    The last outline stands one step short of the end box, as published.

    Shapes: image [H, W, 3].
    Source: `MoveAnythingAnnotator`, `LayoutBboxAnnotator`.
    """
    size = (image.shape[0], image.shape[1])
    for box in (start, end):
        check_box(box, size)
    layout = [outline(_between(start, end, index / (frames - 1)), size) for index in range(frames - 1)]
    mask = torch.ones(frames, *size)
    mask[0] = 0
    return VaceInput(torch.stack([image, *layout]), mask)


def box_mask(box: Box, size: Size) -> Tensor:
    """A mask [1, H, W] that is 1 in the box.

    Raises: BadInput for a box that is empty or leaves the picture.
    """
    check_box(box, size)
    mask = torch.zeros(1, *size)
    mask[box.index] = 1
    return mask


def check_box(box: Box, size: Size) -> None:
    """Raises: BadInput for a box that is empty or leaves a picture of this (height, width)."""
    height, width = size
    is_inside = (
        0 <= box.left < box.left + box.width <= width and 0 <= box.top < box.top + box.height <= height
    )
    if not is_inside:
        raise BadInput(
            f"the box {box.left},{box.top},{box.width},{box.height} (left, top, width, height) does not lie in the "
            f"picture of {width}x{height}: give one that does."
        )


def _blank(frames: int, size: Size) -> tuple[Tensor, Tensor]:
    return torch.full((frames, *size, 3), GRAY), torch.ones(frames, *size)


def _between(start: Box, end: Box, part: float) -> Box:
    return Box(
        *(int(one + (other - one) * part) for one, other in zip(_numbers(start), _numbers(end), strict=True))
    )


def _numbers(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.left, box.height, box.width


def outline(box: Box, size: Size) -> Tensor:
    """A box in black on white, three pixels wide with blunt corners: what OpenCV's rectangle of thickness 2 is.

    Shapes: result [*size, 3].
    """
    rows, columns = torch.arange(size[0])[:, None], torch.arange(size[1])
    # Distance outwards from the line itself, on each axis; 0 on it, negative inside.
    down = torch.maximum(box.top - rows, rows - box.top - box.height)
    across = torch.maximum(box.left - columns, columns - box.left - box.width)
    outwards = torch.maximum(down, across)
    is_corner = (down == 1) & (across == 1)
    is_line = (outwards.abs() <= 1) & ~is_corner
    return (~is_line).float()[..., None].expand(-1, -1, 3)
