"""Mask tracks drawn at random: every kind of shape, ramp and keyframe, in and beyond a tiny frame."""

import math
from fractions import Fraction
from random import Random

from reelpatch.clips.mask_track.records import (
    Box,
    Dissolve,
    Ellipse,
    Envelope,
    Grow,
    Keyframe,
    Linear,
    MaskTrack,
    Polygon,
    Ramp,
    Region,
    Shape,
    Smooth,
    Stroke,
    Whole,
    Wipe,
)

SIZE = (9, 12)
FRAMES = 12


def track(draw: Random, *, is_upright: bool = False) -> MaskTrack:
    """Some regions; upright ones are whole frames and boxes that are not turned, with ramps without an edge."""
    units = draw.choice(("fractions", "pixels"))
    times = draw.choice(("frames", "seconds"))
    scale = (1.0, 1.0) if units == "fractions" else (float(SIZE[1]), float(SIZE[0]))
    regions = tuple(_region(draw, scale, times, is_upright) for _ in range(draw.randint(1, 3)))
    return MaskTrack(1, units, times, regions)


def _region(draw: Random, scale: tuple[float, float], times: str, is_upright: bool) -> Region:
    shape = _shape(draw, scale, is_upright)
    return Region(
        shape,
        mode=draw.choice(("add", "add", "subtract")),
        envelope=_envelope(draw, scale, times, is_upright),
        keyframes=_keyframes(draw, shape, scale, times, is_upright),
    )


def _place(draw: Random, scale: tuple[float, float]) -> tuple[float, float]:
    return draw.uniform(-0.3, 1.3) * scale[0], draw.uniform(-0.3, 1.3) * scale[1]


def _extent(draw: Random, scale: tuple[float, float]) -> tuple[float, float]:
    return draw.uniform(0.01, 1.2) * scale[0], draw.uniform(0.01, 1.2) * scale[1]


def _shape(draw: Random, scale: tuple[float, float], is_upright: bool) -> Shape:
    kind = draw.choice(("whole", "box", "box") if is_upright else ("box", "ellipse", "polygon", "stroke"))
    if kind == "whole":
        return Whole()
    if kind in ("box", "ellipse"):
        return (Box if kind == "box" else Ellipse)(_place(draw, scale), _extent(draw, scale))
    if kind == "stroke":
        points = [_place(draw, scale) for _ in range(draw.randint(1, 4))]
        return Stroke(tuple(points), draw.uniform(0.02, 0.5) * min(scale))
    centre = _place(draw, scale)
    num = draw.randint(3, 7)
    # Around a centre, one after the other, so that it does not cross itself.
    turns = sorted(draw.uniform(0, 2 * math.pi) for _ in range(num))
    far = [draw.uniform(0.05, 0.6) for _ in range(num)]
    return Polygon(
        tuple(
            (centre[0] + r * math.cos(a) * scale[0], centre[1] + r * math.sin(a) * scale[1])
            for a, r in zip(turns, far, strict=True)
        )
    )


def _time(draw: Random, times: str, least: int = 0) -> Fraction:
    """Often on a frame; clips have 24000/1001 frames a second."""
    frame = draw.choice(
        (Fraction(draw.randint(least, FRAMES)), Fraction(draw.randint(8 * least, 8 * FRAMES), 8))
    )
    return frame if times == "frames" else frame * Fraction(1001, 24000)


def _envelope(draw: Random, scale: tuple[float, float], times: str, is_upright: bool) -> Envelope:
    start = _time(draw, times) if draw.random() < 0.6 else None
    length = _time(draw, times, 1)
    end = (start or 0) + length if draw.random() < 0.5 else None
    ramp_in = _ramp(draw, scale, times, is_upright) if start is not None and draw.random() < 0.8 else None
    ramp_out = _ramp(draw, scale, times, is_upright) if end is not None and draw.random() < 0.8 else None
    return Envelope(start, ramp_in, end, ramp_out)


def _ramp(draw: Random, scale: tuple[float, float], times: str, is_upright: bool) -> Ramp:
    length, edge = _time(draw, times), draw.choice((0.0, draw.uniform(0, 0.5) * min(scale)))
    kind = draw.choice(
        ("linear", "smooth", "dissolve") if is_upright else ("linear", "smooth", "dissolve", "wipe", "grow")
    )
    if kind == "linear":
        return Linear(length)
    if kind == "smooth":
        return Smooth(length)
    if kind == "dissolve":
        return Dissolve(length, draw.randrange(2**32), draw.randint(1, 4))
    if kind == "wipe":
        return Wipe(length, draw.choice((0, 90, 180, draw.uniform(-360, 360))), edge)
    return Grow(length, _place(draw, scale), edge)


def _keyframes(
    draw: Random, shape: Shape, scale: tuple[float, float], times: str, is_upright: bool
) -> tuple[Keyframe, ...]:
    keys = []
    for at in sorted({_time(draw, times) for _ in range(draw.randint(0, 3))}):
        named = {"value": draw.random()} if draw.random() < 0.5 else {}
        if not isinstance(shape, Whole):
            named |= {"position": _place(draw, scale)} if draw.random() < 0.6 else {}
            named |= {"size": _extent(draw, scale)} if draw.random() < 0.4 else {}
            if not is_upright and draw.random() < 0.5:
                named["rotation"] = draw.uniform(-400, 400)
        keys.append(Keyframe(at, ease=draw.choice(("linear", "smooth", "hold")), **named))
    return tuple(keys)
