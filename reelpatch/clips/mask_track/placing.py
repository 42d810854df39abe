"""Where a region is at a moment: what its keyframes say, each property between the keyframes that name it."""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reelpatch.clips.frames import Size
from reelpatch.clips.mask_track.records import Box, Ellipse, Keyframe, Polygon, Region, Stroke, Units

_ANIMATED = ("position", "size", "rotation", "value", "feather")


@dataclass(frozen=True)
class Scale:
    """How places and lengths of a track become pixels of a frame of `size` = (height, width)."""

    units: Units
    size: Size

    def place(self, point: Any) -> NDArray[np.float64]:
        """Of x and y, or of [N, 2] of them."""
        height, width = self.size
        return np.asarray(point, np.float64) * ((width, height) if self.units == "fractions" else (1, 1))

    def length(self, length: float) -> float:
        """Of a length that has no direction."""
        return length * min(self.size) if self.units == "fractions" else length


@dataclass(frozen=True)
class Placed:
    """A region at a moment; None is where, and as large as, it was drawn. Units: those of the track, degrees."""

    position: tuple[float, float] | None = None
    size: tuple[float, float] | None = None
    rotation: float = 0.0
    value: float = 1.0
    feather: float = 0.0

    @property
    def is_as_drawn(self) -> bool:
        """Whether it is neither moved, nor scaled, nor turned."""
        return self.position is None and self.size is None and self.rotation == 0


class Motion:
    """The keyframes of a region, ready to be asked for any moment; before the first that names a property its value holds."""

    def __init__(self, region: Region) -> None:
        keys = {
            name: [key for key in region.keyframes if getattr(key, name) is not None] for name in _ANIMATED
        }
        self._properties = [_Property(name, named) for name, named in keys.items() if named]

    def at(self, moment: Fraction) -> Placed:
        """Where the region is."""
        near = float(moment)
        return Placed(**{one.name: one.at(moment, near) for one in self._properties})


class _Property:
    """One property of a region over time."""

    def __init__(self, name: str, keys: list[Keyframe]) -> None:
        self.name, self.keys = name, keys
        self._values = [getattr(key, name) for key in keys]
        self._times = [float(key.at) for key in keys]

    def at(self, exact: Fraction, near: float) -> Any:
        """Its value at a moment, which is given as a float too."""
        before = bisect_right(self._times, near)
        # Moments that floats cannot tell apart are compared as they are.
        while before > 0 and self._times[before - 1] == near and self.keys[before - 1].at > exact:
            before -= 1
        if before == 0:
            return self._values[0]
        ease, value = self.keys[before - 1].ease, self._values[before - 1]
        if before == len(self.keys) or ease == "hold":
            return value
        length = self._times[before] - self._times[before - 1]
        part = (near - self._times[before - 1]) / length if length else 0.0
        return _between(
            value, self._values[before], part * part * (3 - 2 * part) if ease == "smooth" else part
        )


def drawn_bounds(region: Region) -> tuple[tuple[float, float], tuple[float, float]]:
    """Centre and size of what was drawn, in the units of the track. The whole frame has none."""
    shape = region.shape
    if isinstance(shape, Box | Ellipse):
        return shape.centre, shape.size
    assert isinstance(shape, Polygon | Stroke)
    points = np.asarray(shape.points)
    low, high = points.min(0), points.max(0)
    centre, size = (low + high) / 2, high - low
    return (float(centre[0]), float(centre[1])), (float(size[0]), float(size[1]))


def _between(one: Any, other: Any, part: float) -> Any:
    if isinstance(one, tuple):
        (x, y), (to_x, to_y) = cast(tuple[float, float], one), cast(tuple[float, float], other)
        return x + (to_x - x) * part, y + (to_y - y) * part
    return one + (other - one) * part
