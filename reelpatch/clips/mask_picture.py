"""One picture of a mask as its file has it, and the channels that can be taken of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from reelpatch.clips.mask_levels import Plane

MaskChannel = Literal[
    "auto", "luma", "inverse-luma", "alpha", "inverse-alpha", "red", "green", "blue", "labels"
]
MASK_CHANNELS: tuple[MaskChannel, ...] = get_args(MaskChannel)
_VOID = (224, 224, 192)  # in the palette of PASCAL VOC
_COLOURED = 48  # of 255: so far apart are the channels of what is no gray, whatever a codec did to it


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """A picture as stored, upright.

    Shapes: colour [H, W] gray, of 8 or 16 bits, or [H, W, 3] of 8 bits; alpha [H, W] of 8 bits, None where there is
        none.
    """

    colour: Plane
    alpha: Plane | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.colour.shape[0], self.colour.shape[1]

    @property
    def full(self) -> int:
        """The largest value that its colour can have."""
        return int(np.iinfo(self.colour.dtype).max)

    def plane(self, channel: MaskChannel) -> Plane:
        """One channel [H, W]; where there is no alpha, all is opaque."""
        return _PLANES[channel](self)

    def coloured(self) -> NDArray[np.bool_]:
        """Where it is no gray, [H, W]."""
        if self.colour.ndim == 2:
            return np.zeros(self.size, bool)
        return np.ptp(self.colour, axis=2) > _COLOURED


def _luma(picture: MaskPicture) -> Plane:
    """Rec. 601; gray keeps its values."""
    colour: Any = picture.colour
    if colour.ndim == 2:
        return colour
    red, green, blue = (colour[..., index].astype(np.float32) for index in range(3))
    return (red + 0.587 * (green - red) + 0.114 * (blue - red)).round().astype(np.uint8)


def _alpha(picture: MaskPicture) -> Plane:
    return np.full(picture.size, 255, np.uint8) if picture.alpha is None else picture.alpha


def _one_colour(index: int) -> Callable[[MaskPicture], Plane]:
    return lambda picture: picture.colour if picture.colour.ndim == 2 else picture.colour[..., index]


def _labels(picture: MaskPicture) -> Plane:
    """255 wherever there is any colour at all but that of PASCAL VOC's void, which says nothing of its pixels."""
    if picture.colour.ndim == 2:
        lit = picture.colour > 0
    else:
        lit = picture.colour.any(2) & (picture.colour != _VOID).any(2)
    return np.where(lit, 255, 0).astype(np.uint8)


_PLANES: Mapping[MaskChannel, Callable[[MaskPicture], Plane]] = {
    "luma": _luma,
    "inverse-luma": lambda picture: (picture.full - _luma(picture)).astype(picture.colour.dtype),
    "alpha": _alpha,
    "inverse-alpha": lambda picture: (255 - _alpha(picture)).astype(np.uint8),
    "red": _one_colour(0),
    "green": _one_colour(1),
    "blue": _one_colour(2),
    "labels": _labels,
}
