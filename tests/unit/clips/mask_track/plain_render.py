"""The rendering of a mask track written down once more, plainly: pixel by pixel, exact areas, no arrays."""

import math
from fractions import Fraction

from reelpatch.clips.mask_track.records import (
    Box,
    Dissolve,
    Ellipse,
    Grow,
    Keyframe,
    Linear,
    MaskTrack,
    Polygon,
    Region,
    Smooth,
    Stroke,
    Wipe,
)

Point = tuple[float, float]
_ARC = 240


def render(track: MaskTrack, size: tuple[int, int], moment: Fraction) -> list[list[float]]:
    """Rows of values, before smoothing over time, growing and feathering."""
    height, width = size
    mask = [[0.0] * width for _ in range(height)]
    for region in track.regions:
        drawn = _Drawn(track, region, size, moment)
        if not drawn.is_there:
            continue
        for y in range(height):
            for x in range(width):
                value = drawn.value_at(x, y)
                mask[y][x] = max(mask[y][x], value) if region.mode == "add" else min(mask[y][x], 1 - value)
    return mask


def value_between(region: Region, name: str, moment: Fraction, default):
    keys = [key for key in region.keyframes if getattr(key, name) is not None]
    if not keys:
        return default
    if moment <= keys[0].at:
        return getattr(keys[0], name)
    for one, other in zip(keys, [*keys[1:], None], strict=True):
        if other is None or one.at <= moment < other.at:
            return _eased(one, other, name, moment)
    raise AssertionError


def _eased(one: Keyframe, other: Keyframe | None, name: str, moment: Fraction):
    value = getattr(one, name)
    if other is None or one.ease == "hold":
        return value
    part = float((moment - one.at) / (other.at - one.at))
    if one.ease == "smooth":
        part = 3 * part**2 - 2 * part**3
    to = getattr(other, name)
    if isinstance(value, tuple):
        return tuple(a * (1 - part) + b * part for a, b in zip(value, to, strict=True))
    return value * (1 - part) + to * part


class _Drawn:
    def __init__(self, track: MaskTrack, region: Region, size: tuple[int, int], moment: Fraction) -> None:
        self.size, self.region = size, region
        height, width = size
        self.unit = (width, height) if track.units == "fractions" else (1, 1)
        self.length = min(size) if track.units == "fractions" else 1
        envelope = region.envelope
        self.is_there = (envelope.start is None or moment >= envelope.start) and (
            envelope.end is None or moment < envelope.end
        )
        self.value = value_between(region, "value", moment, 1.0)
        self.ramps = []
        if not self.is_there:
            return
        if envelope.ramp_in is not None and moment < envelope.start + envelope.ramp_in.length:
            done = float((moment - envelope.start) / envelope.ramp_in.length)
            self.ramps.append((envelope.ramp_in, done, False))
        if envelope.ramp_out is not None and moment > envelope.end - envelope.ramp_out.length:
            self.ramps.append(
                (envelope.ramp_out, float((envelope.end - moment) / envelope.ramp_out.length), True)
            )
        self.points = self._placed(moment)

    def value_at(self, x: int, y: int) -> float:
        value = self.value * self._covered(x, y)
        for ramp, part, is_going in self.ramps:
            value *= self._ramp(ramp, part, is_going, x, y)
        return value

    def _pixels(self, point: Point) -> Point:
        return point[0] * self.unit[0], point[1] * self.unit[1]

    def _placed(self, moment: Fraction) -> list[Point]:
        """The outline (of a stroke, the line) in pixels."""
        shape = self.region.shape
        if isinstance(shape, Polygon | Stroke):
            points = list(shape.points)
        elif isinstance(shape, Box | Ellipse):
            (cx, cy), (w, h) = shape.centre, shape.size
            points = [
                (cx - w / 2, cy - h / 2),
                (cx + w / 2, cy - h / 2),
                (cx + w / 2, cy + h / 2),
                (cx - w / 2, cy + h / 2),
            ]
        else:
            height, width = self.size
            return [(0, 0), (width, 0), (width, height), (0, height)]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        drawn_at = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
        drawn_size = (max(xs) - min(xs), max(ys) - min(ys))
        to = value_between(self.region, "position", moment, drawn_at)
        size = value_between(self.region, "size", moment, drawn_size)
        if isinstance(shape, Ellipse):
            turns = [2 * math.pi * index / _ARC for index in range(_ARC)]
            points = [
                (drawn_at[0] + drawn_size[0] / 2 * math.cos(a), drawn_at[1] + drawn_size[1] / 2 * math.sin(a))
                for a in turns
            ]
        angle = math.radians(value_between(self.region, "rotation", moment, 0.0))
        placed = [self._place(point, drawn_at, drawn_size, to, size, angle) for point in points]
        if isinstance(shape, Ellipse):
            corners = [
                self._place(
                    (drawn_at[0] + sx * drawn_size[0] / 2, drawn_at[1] + sy * drawn_size[1] / 2),
                    drawn_at,
                    drawn_size,
                    to,
                    size,
                    angle,
                )
                for sx in (-1, 1)
                for sy in (-1, 1)
            ]
            self.corners = corners
        return placed

    def _place(self, point, drawn_at, drawn_size, to, size, angle) -> Point:
        moved = []
        for axis in (0, 1):
            times = size[axis] / drawn_size[axis] if drawn_size[axis] > 0 else 1
            moved.append((point[axis] - drawn_at[axis]) * times * self.unit[axis])
        cx, cy = self._pixels(to)
        x, y = moved
        return cx + x * math.cos(angle) - y * math.sin(angle), cy + x * math.sin(angle) + y * math.cos(angle)

    def _covered(self, x: int, y: int) -> float:
        if isinstance(self.region.shape, Stroke):
            width = self.region.shape.width * self.length
            away = min(
                _distance((x + 0.5, y + 0.5), a, b)
                for a, b in zip(self.points, self.points[1:] or self.points, strict=False)
            )
            return min(max(width / 2 + 0.5 - away, 0), 1, width)
        return area_in_pixel(self.points, x, y)

    def _bounds(self) -> tuple[float, float, float, float]:
        points = getattr(self, "corners", self.points)
        reach = self.region.shape.width * self.length / 2 if isinstance(self.region.shape, Stroke) else 0
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach

    def _ramp(self, ramp, part: float, is_going: bool, x: int, y: int) -> float:
        if isinstance(ramp, Linear):
            return part
        if isinstance(ramp, Smooth):
            return 3 * part**2 - 2 * part**3
        if isinstance(ramp, Dissolve):
            return float(grain_order(ramp, x, y) < part)
        left, top, right, bottom = self._bounds()
        corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
        edge = max(ramp.edge * self.length, 1.0)
        if isinstance(ramp, Grow):
            cx, cy = self._pixels(ramp.point)
            longest = max(math.hypot(px - cx, py - cy) for px, py in corners)
            away = math.hypot(x + 0.5 - cx, y + 0.5 - cy)
        else:
            assert isinstance(ramp, Wipe)
            along = (math.cos(math.radians(ramp.direction)), math.sin(math.radians(ramp.direction)))
            places = [px * along[0] + py * along[1] for px, py in corners]
            longest = max(places) - min(places)
            away = max((x + 0.5) * along[0] + (y + 0.5) * along[1] - min(places), 0)
            if is_going:
                return 1 - min(max(((1 - part) * (longest + edge) - away) / edge, 0), 1)
        return min(max((part * (longest + edge) - away) / edge, 0), 1)


def area_in_pixel(points: list[Point], x: int, y: int) -> float:
    """Of a polygon that does not cross itself, clipped to the pixel side by side."""
    for axis, limit, sign in ((0, x, 1), (0, x + 1, -1), (1, y, 1), (1, y + 1, -1)):
        inside: list[Point] = []
        for one, other in zip(points, [*points[1:], *points[:1]], strict=True):
            here, there = sign * (one[axis] - limit), sign * (other[axis] - limit)
            if here >= 0:
                inside.append(one)
            if (here > 0 > there) or (here < 0 < there):
                part = here / (here - there)
                inside.append((one[0] + part * (other[0] - one[0]), one[1] + part * (other[1] - one[1])))
        points = inside
        if not points:
            return 0.0
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], *points[:1]], strict=True))
    return abs(twice) / 2


def _distance(point: Point, begin: Point, end: Point) -> float:
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    length = dx * dx + dy * dy
    part = ((point[0] - begin[0]) * dx + (point[1] - begin[1]) * dy) / length if length else 0.0
    part = min(max(part, 0.0), 1.0)
    return math.hypot(point[0] - begin[0] - part * dx, point[1] - begin[1] - part * dy)


def grain_order(ramp: Dissolve, x: int, y: int) -> float:
    mixed = _mixed(_mixed(_mixed(ramp.seed) ^ (y // ramp.grain)) ^ (x // ramp.grain))
    return (mixed >> 40) / 2**24


def _mixed(value: int) -> int:
    whole = 2**64 - 1
    value = (value + 0x9E3779B97F4A7C15) & whole
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & whole
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & whole
    return value ^ (value >> 31)
