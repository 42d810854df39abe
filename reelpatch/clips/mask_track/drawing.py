"""Regions at a moment, drawn: each shape where keyframes place it, softened, at its value, as far as its ramps let it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, radians
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelpatch.clips.mask_track import coverage
from reelpatch.clips.mask_track.coverage import Patch, Plane, Points
from reelpatch.clips.mask_track.placing import Placed, Scale, drawn_bounds
from reelpatch.clips.mask_track.ramps import Area, Progress, let_through
from reelpatch.clips.mask_track.records import Ellipse, Masks, Polygon, Region, Stroke, Whole
from reelpatch.clips.mask_track.soften import softened

Bounds = tuple[float, float, float, float]  # left, top, right, bottom
_CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])


class MaskFrames(Protocol):
    """A mask from elsewhere, of the source's size and length."""

    def frame(self, number: int) -> Plane:
        """The mask of a source frame, [H, W] in [0, 1]."""
        ...


@dataclass(frozen=True)
class _Drawn:
    """A shape on the frame, and the bounds of all of it, in pixels."""

    patch: Patch
    bounds: Bounds


@dataclass(frozen=True)
class LaidOut:
    """A region at a moment: where its shape is, in pixels. `outline` is that of a shape that has corners, or an ellipse."""

    region: Region
    placed: Placed
    ramps: tuple[Progress, ...]
    bounds: Bounds
    points: Points | None = None
    outline: Points | None = None


def lay_out(region: Region, placed: Placed, ramps: tuple[Progress, ...], scale: Scale) -> LaidOut:
    """Where a region's shape is."""
    shape, (height, width) = region.shape, scale.size
    if isinstance(shape, Whole | Masks):
        return LaidOut(region, placed, ramps, (0.0, 0.0, float(width), float(height)))
    if isinstance(shape, Polygon | Stroke):
        points = _placed_points(shape, placed, scale, drawn_bounds(region))
        reach = scale.length(shape.width) / 2 if isinstance(shape, Stroke) else 0
        outline = None if isinstance(shape, Stroke) else points
        return LaidOut(region, placed, ramps, _around(points, reach), points, outline)
    centre = scale.place(placed.position or shape.centre)
    half = scale.place(placed.size or shape.size) / 2
    angle = radians(placed.rotation)
    corners = coverage.turn(_CORNERS * half, angle) + centre
    outline = (
        coverage.ellipse(centre, half, angle) if isinstance(shape, Ellipse) else corners if angle else None
    )
    return LaidOut(region, placed, ramps, _around(corners, 0), outline=outline)


def draw_all(
    layouts: Sequence[LaidOut], scale: Scale, masks: Mapping[int, MaskFrames], frame: int
) -> Iterator[Patch]:
    """The values of each region; beyond its patch it has none. `masks` are by the place of their region in the order."""
    outlines = [one.outline for one in layouts if one.outline is not None]
    filled = iter(coverage.polygons(outlines, scale.size))
    for index, one in enumerate(layouts):
        if one.outline is not None:
            patch = next(filled)
        elif isinstance(one.region.shape, Masks):
            patch = Patch(0, 0, _moved(masks[index].frame(frame), one.placed, scale))
        else:
            patch = _drawn_alone(one, scale)
        yield _let_through(one, _Drawn(patch, one.bounds), scale)


def _drawn_alone(laid: LaidOut, scale: Scale) -> Patch:
    shape = laid.region.shape
    if isinstance(shape, Whole):
        return Patch(0, 0, np.ones(scale.size, np.float32))
    if isinstance(shape, Stroke):
        assert laid.points is not None
        return coverage.stroke(laid.points, scale.length(shape.width), scale.size)
    return coverage.box(*laid.bounds, scale.size)


def _let_through(laid: LaidOut, drawn: _Drawn, scale: Scale) -> Patch:
    """The shape softened, at its value, as far as its ramps let it."""
    feather = scale.length(laid.placed.feather)
    if feather > 0:
        drawn = _feathered(drawn, feather, scale.size)
    patch = drawn.patch
    values = patch.values
    if laid.placed.value != 1:
        values = values * np.float32(laid.placed.value)
    if laid.ramps and values.size:
        area = Area(drawn.bounds, patch.top, patch.left, *values.shape)
        for progress in laid.ramps:
            values = values * np.asarray(let_through(progress, area, scale), np.float32)
    return Patch(patch.top, patch.left, values)


def _placed_points(
    shape: Polygon | Stroke,
    placed: Placed,
    scale: Scale,
    bounds: tuple[tuple[float, float], tuple[float, float]],
) -> Points:
    """The points in pixels: scaled around their own centre, turned, and moved."""
    position, extent = bounds
    drawn, size = scale.place(extent), scale.place(placed.size or extent)
    grown = np.divide(size, drawn, out=np.ones(2), where=drawn > 0)
    points = (scale.place(shape.points) - scale.place(position)) * grown
    return coverage.turn(points, radians(placed.rotation)) + scale.place(placed.position or position)


def _around(points: Points, reach: float) -> Bounds:
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return left - reach, top - reach, right + reach, bottom + reach


def _feathered(drawn: _Drawn, feather: float, size: tuple[int, int]) -> _Drawn:
    """With its edge softened; the patch grows by as much, and what lies beyond the frame counts as it is drawn there."""
    reach, patch = ceil(feather), drawn.patch
    (height, width), (rows, columns) = size, patch.values.shape
    left, top, right, bottom = drawn.bounds
    bounds = (left - feather, top - feather, right + feather, bottom + feather)
    if not patch.values.size:
        return _Drawn(patch, bounds)
    first_row, first_column = max(0, patch.top - reach), max(0, patch.left - reach)
    last_row, last_column = min(height, patch.top + rows + reach), min(width, patch.left + columns + reach)
    wide = np.zeros((last_row - first_row, last_column - first_column), np.float32)
    inner = Patch(patch.top - first_row, patch.left - first_column, patch.values)
    wide[inner.index] = patch.values
    return _Drawn(Patch(first_row, first_column, softened(wide, feather)), bounds)


def _moved(mask: Plane, placed: Placed, scale: Scale) -> Plane:
    """A mask moved, scaled and turned as keyframes say, its pixels mixed linearly; what comes from beyond it is 0."""
    if placed.is_as_drawn:
        return mask
    height, width = scale.size
    centre = (
        scale.place(placed.position) if placed.position is not None else np.array([width / 2, height / 2])
    )
    size = scale.place(placed.size) if placed.size is not None else np.array([width, height], np.float64)
    if not size.all():
        return np.zeros_like(mask)
    y, x = np.mgrid[0:height, 0:width]
    back = coverage.turn(np.stack([x.ravel() + 0.5, y.ravel() + 0.5], 1) - centre, -radians(placed.rotation))
    source = back * (width, height) / size + (width / 2 - 0.5, height / 2 - 0.5)
    return _mixed(mask, source).reshape(height, width)


def _mixed(mask: Plane, places: Points) -> NDArray[np.float32]:
    """The mask at places between its pixels, [N, 2] with the first pixel's centre at (0, 0)."""
    wide = np.pad(mask, 1)
    limits = np.array([wide.shape[1] - 2, wide.shape[0] - 2])
    places = (places + 1).clip(0, limits + 1 - 1e-9)
    first = places.astype(np.int64)
    part = (places - first).astype(np.float32)
    (column, row), (across, down) = first.T, part.T
    above = wide[row, column] * (1 - across) + wide[row, column + 1] * across
    below = wide[row + 1, column] * (1 - across) + wide[row + 1, column + 1] * across
    return above * (1 - down) + below * down
