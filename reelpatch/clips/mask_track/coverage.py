"""How much of each pixel a shape covers: the exact area for boxes and polygons, in plain NumPy.

OpenCV is not among what ComfyUI brings, and its soft edges are off by more than 1/255 of a pixel's area.
Places are in pixels, x before y; the centre of the first pixel is (0.5, 0.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor, hypot, pi, sin, sqrt

import numpy as np
import torch
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Points = NDArray[np.float64]  # [N, 2]
_LARGEST_ERROR_PX = 0.004  # between an ellipse and the polygon that stands for it
_FAR = 1e9


@dataclass(frozen=True)
class Patch:
    """The values of a rectangle of pixels whose first one is at row `top` and column `left`; beyond it they are 0."""

    top: int
    left: int
    values: Plane

    @property
    def index(self) -> tuple[slice, slice]:
        """Picks it out of the frame [H, W]."""
        height, width = self.values.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def box(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> Patch:
    """An upright box in a frame of `size` = (height, width)."""
    rows, first_row = _overlap(top, bottom, size[0])
    columns, first_column = _overlap(left, right, size[1])
    return Patch(first_row, first_column, np.outer(rows, columns).astype(np.float32))


def polygons(outlines: Sequence[Points], size: tuple[int, int]) -> list[Patch]:
    """What each closed line around points goes around, in a frame of `size` = (height, width); all in one go.

    Each edge adds the area to its right, with the sign of its direction; all of a line leave what is inside. Exact where the
    line does not cross itself within the pixel.
    """
    places = [_bounds(points, size) or (0, 0, 0, 0) for points in outlines]
    heights, strides = (
        [place[3] - place[1] for place in places],
        [place[2] - place[0] + 2 for place in places],
    )
    edges = [
        _edges(points - place[:2], height, stride - 2) if height else np.zeros((4, 0))
        for points, place, height, stride in zip(outlines, places, heights, strides, strict=True)
    ]
    starts = np.cumsum([0, *(height * stride for height, stride in zip(heights, strides, strict=True))])
    covered = _areas(edges, np.array(heights), np.array(strides), starts)
    return [
        Patch(
            place[1],
            place[0],
            covered[start : start + height * stride].reshape(height, stride)[:, : stride - 2],
        )
        for place, height, stride, start in zip(places, heights, strides, starts, strict=False)
    ]


def ellipse(centre: Points, radii: Points, turned: float) -> Points:
    """The outline of an ellipse turned by so many radians clockwise, as a polygon of its area."""
    # By eights, so that one that grows is often of the same circle; of those that are far larger than any frame, no finer.
    num = 8 * min(512, max(2, ceil(pi * sqrt(float(radii.max()) / 2 / _LARGEST_ERROR_PX) / 8)))
    return turn(_circle(num) * radii, turned) + centre


@lru_cache(64)
def _circle(num: int) -> Points:
    """So many points around the origin, whose polygon has the area of the circle with radius 1."""
    angles = np.arange(num) * (2 * pi / num)
    return np.stack([np.cos(angles), np.sin(angles)], 1) * sqrt((2 * pi / num) / sin(2 * pi / num))


def stroke(points: Points, width: float, size: tuple[int, int]) -> Patch:
    """A line drawn with a round brush; its edge is a ramp of one pixel, by the distance of pixel centres."""
    found = _grown(points.min(0).tolist(), points.max(0).tolist(), width / 2 + 1, size)
    if found is None or width == 0:
        return Patch(0, 0, np.zeros((0, 0), np.float32))
    left, top, right, bottom = found
    nearest = np.full((bottom - top, right - left), _FAR, np.float32)
    line: list[list[float]] = points.tolist()
    for (x0, y0), (x1, y1) in pairwise(line) if len(line) > 1 else [(line[0], line[0])]:
        low, high = (min(x0, x1), min(y0, y1)), (max(x0, x1), max(y0, y1))
        area = _grown(low, high, width / 2 + 1, size)
        if area is not None:
            part = nearest[area[1] - top : area[3] - top, area[0] - left : area[2] - left]
            np.minimum(part, _squared_distance((x0, y0), (x1, y1), area), out=part)
    np.sqrt(nearest, out=nearest)
    np.subtract(np.float32(width / 2 + 0.5), nearest, out=nearest)
    return Patch(top, left, np.minimum(np.maximum(nearest, 0, out=nearest), min(1.0, width), out=nearest))


def turn(points: Points, radians: float) -> Points:
    """Points turned around the origin, clockwise as y points down."""
    if radians == 0:
        return points
    across, along = np.cos(radians), np.sin(radians)
    return points @ np.array([[across, along], [-along, across]])


def _overlap(begin: float, end: float, num: int) -> tuple[Points, int]:
    """How much of each pixel of a line lies between two places, from the first pixel that any of does."""
    first, last = max(0, floor(max(begin, 0))), min(num, ceil(min(end, num)))
    if last <= first:
        return np.zeros(0), 0
    pixels = np.arange(first, last)
    return np.clip(np.minimum(pixels + 1, end) - np.maximum(pixels, begin), 0, 1), first


def _bounds(points: Points, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The pixels around points: left, top and those behind right and bottom; None where all lie beyond the frame."""
    return _grown(points.min(0).tolist(), points.max(0).tolist(), 0, size)


def _grown(
    low: Sequence[float], high: Sequence[float], reach: float, size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """As `_bounds`, of the smallest and largest x and y, and so far around them."""
    left, top = floor(max(low[0] - reach, 0)), floor(max(low[1] - reach, 0))
    right, bottom = ceil(min(high[0] + reach, size[1])), ceil(min(high[1] + reach, size[0]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _areas(
    edges: Sequence[NDArray[np.float64]],
    heights: NDArray[np.int64],
    strides: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> Plane:
    """How much of each pixel lies within the edges of each outline: rows of all of them, one after the other, [sum].

    An outline's row has two places more than it has pixels, for what lies beside the frame.
    """
    if not starts[-1]:
        return np.zeros(0, np.float32)
    owner, (x0, y0, x1, y1) = _within_pixels(np.concatenate(edges, axis=1))
    outline = np.repeat(np.arange(len(edges)), [one.shape[1] for one in edges])[owner]
    middle = (x0 + x1) / 2
    column = middle.astype(np.int64)
    row = np.minimum(
        ((y0 + y1) / 2).astype(np.int64), heights[outline] - 1
    )  # rounded up, it may be the one below
    part, place = y1 - y0, starts[outline] + row * strides[outline] + column
    beside = part * (middle - column)
    areas = np.bincount(
        np.concatenate([place, place + 1]), np.concatenate([part - beside, beside]), int(starts[-1])
    )
    # A closed line comes back within each row, so that its areas add up to 0 there and the next row begins anew.
    summed = torch.from_numpy(areas).cumsum(0).numpy()  # three times as fast as NumPy's
    covered = summed.astype(np.float32)
    return np.minimum(np.abs(covered, out=covered), 1, out=covered)


def _edges(points: Points, height: int, width: int) -> NDArray[np.float64]:
    """The edges between the points within the frame, [4, N]: x0, y0, x1, y1. What lies beside it stands at its sides."""
    edges = np.concatenate([points, np.concatenate([points[1:], points[:1]])], axis=1).T
    edges = edges[:, edges[1] != edges[3]]
    if (points >= 0).all() and (points <= (width, height)).all():
        return edges
    x0, y0, x1, y1 = edges
    at_rows = np.sort([-y0 / (y1 - y0), (height - y0) / (y1 - y0)], axis=0).clip(0, 1)
    is_steep = x0 != x1
    across = np.where(is_steep, x1 - x0, 1.0)
    at_sides = np.where(is_steep, [-x0 / across, (width - x0) / across], 0.0).clip(*at_rows)
    cuts = np.sort(np.concatenate([at_rows, at_sides]), axis=0)
    x = (x0 + cuts * (x1 - x0)).clip(0, width)
    y = (y0 + cuts * (y1 - y0)).clip(0, height)
    pieces = np.stack([x[:-1], y[:-1], x[1:], y[1:]]).reshape(4, -1)
    return pieces[:, pieces[1] != pieces[3]]


def _within_pixels(edges: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The edges cut where they pass from pixel to pixel: which edge each piece is of, and the pieces, [4, M]."""
    x0, y0, x1, y1 = edges
    column, at_column = _crossings(x0, x1)
    row, at_row = _crossings(y0, y1)
    every = np.arange(edges.shape[1])
    owner = np.concatenate([every, column, row, every])
    cut = np.concatenate([np.zeros(len(every)), at_column, at_row, np.ones(len(every))])
    order = np.argsort(2 * owner + cut)
    owner, cut = owner[order], cut[order]
    begin = edges[:2, owner]
    places = begin + cut * (edges[2:, owner] - begin)
    is_one = owner[:-1] == owner[1:]
    return owner[:-1][is_one], np.concatenate([places[:, :-1][:, is_one], places[:, 1:][:, is_one]])


def _crossings(
    begins: NDArray[np.float64], ends: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the ways from begins to ends pass whole numbers: of which way, and after which part of it."""
    low = np.floor(np.minimum(begins, ends)) + 1
    num = np.maximum(np.ceil(np.maximum(begins, ends)) - low, 0).astype(np.int64)
    owner = np.repeat(np.arange(len(begins)), num)
    past = np.arange(len(owner)) - np.repeat(np.cumsum(num) - num, num)
    begin = begins[owner]
    return owner, (low[owner] + past - begin) / (ends[owner] - begin)


def _squared_distance(begin: tuple[float, float], end: tuple[float, float], area: Sequence[int]) -> Plane:
    """From the centres of the pixels of an area to a piece of a line: beside it and beyond its nearer end."""
    left, top, right, bottom = area
    middle, step = ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2), (end[0] - begin[0], end[1] - begin[1])
    length = hypot(*step)
    along = (step[0] / length, step[1] / length) if length else (1.0, 0.0)
    across = np.arange(left, right) + (0.5 - middle[0])
    down = (np.arange(top, bottom) + (0.5 - middle[1]))[:, None]
    beside = np.add(across * -along[1], down * along[0], dtype=np.float32)
    beyond = np.add(across * along[0], down * along[1], dtype=np.float32)
    np.abs(beyond, out=beyond)
    np.subtract(beyond, np.float32(length / 2), out=beyond)
    np.maximum(beyond, 0, out=beyond)
    np.multiply(beyond, beyond, out=beyond)
    np.multiply(beside, beside, out=beside)
    return np.add(beside, beyond, out=beside)
