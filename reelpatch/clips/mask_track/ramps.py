"""How a region comes and goes: how far a ramp is at a moment, and what it lets through of each pixel."""

from dataclasses import dataclass
from fractions import Fraction
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from reelpatch.clips.mask_track.coverage import Plane
from reelpatch.clips.mask_track.placing import Scale
from reelpatch.clips.mask_track.records import Dissolve, Envelope, Grow, Linear, Ramp, Smooth, Wipe


@dataclass(frozen=True)
class Progress:
    """A ramp on its way: `part` of it is done, 0 to 1; while it goes, `part` is what is still there."""

    ramp: Ramp
    part: float
    is_going: bool = False


def ramps_at(envelope: Envelope, moment: Fraction) -> tuple[Progress, ...] | None:
    """The ramps that run at a moment; None where the region is not there."""
    start, end, running = envelope.start, envelope.end, []
    if (start is not None and moment < start) or (end is not None and moment >= end):
        return None
    if start is not None and (ramp := envelope.ramp_in) is not None and moment < start + ramp.length:
        running.append(Progress(ramp, float((moment - start) / ramp.length)))
    if end is not None and (ramp := envelope.ramp_out) is not None and moment > end - ramp.length:
        running.append(Progress(ramp, float((end - moment) / ramp.length), is_going=True))
    return tuple(running)


@dataclass(frozen=True)
class Area:
    """The rectangle of pixels that a region lies in, and the pixels of it that are asked for.

    Units: `bounds` = (left, top, right, bottom) of all of the region in pixels, fractions of them included; `top` and `left`
    of the pixels [height, width] asked for.
    """

    bounds: tuple[float, float, float, float]
    top: int
    left: int
    height: int
    width: int

    @property
    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x of the columns [width], y of the rows [height, 1]."""
        columns, rows = np.arange(self.width, dtype=np.float64), np.arange(self.height, dtype=np.float64)
        return columns + (self.left + 0.5), (rows + (self.top + 0.5)).reshape(-1, 1)

    @property
    def corners(self) -> list[tuple[float, float]]:
        """Of the bounds, x and y."""
        left, top, right, bottom = self.bounds
        return [(left, top), (right, top), (left, bottom), (right, bottom)]


def let_through(progress: Progress, area: Area, scale: Scale) -> Plane | float:
    """What a ramp lets through of each pixel of the area, 0 to 1: [height, width], or one value for all."""
    ramp, part = progress.ramp, progress.part
    if isinstance(ramp, Linear):
        return part
    if isinstance(ramp, Smooth):
        return part * part * (3 - 2 * part)
    if isinstance(ramp, Dissolve):
        return (_order(ramp, area) < part).astype(np.float32)
    if isinstance(ramp, Wipe) and progress.is_going:
        return 1 - _passed(*_wipe_distance(ramp, area), scale.length(ramp.edge), 1 - part)
    distance, longest = (
        _wipe_distance(ramp, area) if isinstance(ramp, Wipe) else _grow_distance(ramp, area, scale)
    )
    return _passed(distance, longest, scale.length(ramp.edge), part)


def _passed(distance: NDArray[np.float64], longest: float, edge: float, part: float) -> Plane:
    """What an edge has passed of pixels at these distances, on its way from 0 to all of the longest one."""
    edge = max(edge, 1.0)
    # The centre of a pixel may lie a little before the place where the region begins.
    return np.clip((part * (longest + edge) - np.maximum(distance, 0)) / edge, 0, 1).astype(np.float32)


def _wipe_distance(ramp: Wipe, area: Area) -> tuple[NDArray[np.float64], float]:
    """How far pixels are from the side of the region where a wipe begins, and how far its other side is."""
    across, down = cos(radians(ramp.direction)), sin(radians(ramp.direction))
    corners = [x * across + y * down for x, y in area.corners]
    x, y = area.centres
    return x * across + y * down - min(corners), max(corners) - min(corners)


def _grow_distance(ramp: Grow, area: Area, scale: Scale) -> tuple[NDArray[np.float64], float]:
    """How far pixels are from the point, and how far the region's farthest corner is."""
    centre_x, centre_y = scale.place(ramp.point)
    x, y = area.centres
    farthest = max(np.hypot(corner_x - centre_x, corner_y - centre_y) for corner_x, corner_y in area.corners)
    return np.hypot(x - centre_x, y - centre_y), float(farthest)


def _order(ramp: Dissolve, area: Area) -> NDArray[np.float64]:
    """When each pixel's grain comes, from 0 to before 1: a hash of its place and the seed, the same on every machine."""
    columns = (np.arange(area.width) + area.left) // ramp.grain
    rows = ((np.arange(area.height) + area.top) // ramp.grain)[:, None]
    mixed = _mixed(_mixed(_mixed(np.uint64(ramp.seed)) ^ rows.astype(np.uint64)) ^ columns.astype(np.uint64))
    return (mixed >> np.uint64(40)).astype(np.float64) / 2**24


def _mixed(values: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """SplitMix64's scrambling of 64 bits."""
    with np.errstate(over="ignore"):
        mixed = np.asarray(values, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
