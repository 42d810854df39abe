"""Procedural clips with an instruction, a mask and the true result: what the demo family is trained and judged on.

A scene is one or two flat-coloured shapes that drift over a soft background. Every scene is a pure function of
its seed, so training scenes (seeds below `HELD_OUT`) and held-out scenes (from `HELD_OUT` on) can be made anywhere.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]

SIZE_PX = 64
NUM_FRAMES = 9
FPS = 8
HELD_OUT = 50_000_000

HUES = {"red": 0.0, "yellow": 55.0, "green": 120.0, "cyan": 180.0, "blue": 230.0, "pink": 310.0}  # degrees
SHAPES = ("circle", "square", "triangle")
BACKGROUNDS = ("sunset", "night", "grass", "ocean", "desert")
STYLES = ("grayscale", "invert", "sepia")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
MIN_CONTRAST = 0.2  # in luma, between things and background where a style is asked for

# Top and bottom colour of each named background, then amplitude and direction of its soft bands.
_SKIES: dict[
    str, tuple[tuple[float, float, float], tuple[float, float, float], float, tuple[float, float]]
] = {
    "sunset": ((0.45, 0.15, 0.45), (1.00, 0.55, 0.15), 0.00, (0.0, 0.0)),
    "night": ((0.02, 0.02, 0.10), (0.10, 0.12, 0.30), 0.02, (0.10, 0.05)),
    "grass": ((0.25, 0.50, 0.15), (0.10, 0.32, 0.08), 0.06, (0.45, 0.00)),
    "ocean": ((0.10, 0.40, 0.60), (0.02, 0.18, 0.40), 0.06, (0.00, 0.40)),
    "desert": ((0.93, 0.80, 0.58), (0.75, 0.56, 0.32), 0.05, (0.20, 0.20)),
}


@dataclass(frozen=True)
class Thing:
    """One moving shape: centre at frame 0 and velocity in pixels (x, y), half-extent `radius_px`."""

    shape: str
    colour: str
    radius_px: float
    start_px: tuple[float, float]
    velocity_px: tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """Shapes over a background; `background` is a name of `BACKGROUNDS` or a pair of RGB colours (top, bottom)."""

    things: tuple[Thing, ...]
    background: str | tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Example:
    """A source clip, the instruction, the true result and what a judge needs to know.

    Shapes: `source`, `target` `[F, H, W, 3]` float32 in [0, 1]; `mask` `[F, H, W]`, 1 = edit (all ones when the
    scene has no mask); `region` `[F, H, W]` = coverage of the edited thing in the source (zeros for edits of the
    background or the whole picture).
    """

    seed: int
    kind: str  # recolour, remove, background, style
    value: str  # target colour, background or style; empty for remove
    mask_kind: str  # none, object, half, time
    wordings: tuple[str, ...]  # every sentence that asks for this edit
    instruction: str  # one of them
    source: Frames
    target: Frames
    mask: Frames
    region: Frames
    num_things: int
    kept: Frames  # the clip that is shown where nothing is edited: the source, or the target in `continued`


def rgb(colour: str) -> tuple[float, float, float]:
    """The palette's saturated colour of that name, RGB in [0, 1]."""
    return colorsys.hsv_to_rgb(HUES[colour] / 360, 0.85, 0.92)


def coverage(thing: Thing) -> Frames:
    """Anti-aliased coverage of a shape in every frame, `[F, H, W]` in [0, 1]."""
    frame = np.arange(NUM_FRAMES, dtype=np.float32)[:, None, None]
    grid = np.arange(SIZE_PX, dtype=np.float32) + 0.5
    x = grid[None, None, :] - (thing.start_px[0] + thing.velocity_px[0] * frame)
    y = grid[None, :, None] - (thing.start_px[1] + thing.velocity_px[1] * frame)
    r = thing.radius_px
    if thing.shape == "circle":
        distance = np.sqrt(x * x + y * y) - r
    elif thing.shape == "square":
        distance = np.maximum(np.abs(x), np.abs(y)) - 0.88 * r
    else:  # triangle, apex up at (0, -r): two slanted sides and a base at 0.9 r
        slanted = (1.9 * np.abs(x) - y - r) / np.hypot(1.9, 1.0)
        distance = np.maximum(slanted, y - 0.9 * r)
    return np.clip(0.5 - distance, 0, 1).astype(np.float32)


def paint_background(
    background: str | tuple[tuple[float, float, float], tuple[float, float, float]],
) -> Frames:
    """A soft still background, `[F, H, W, 3]`."""
    if isinstance(background, str):
        top, bottom, amplitude, (fx, fy) = _SKIES[background]
    else:
        (top, bottom), amplitude, (fx, fy) = background, 0.0, (0.0, 0.0)
    ramp = np.linspace(0, 1, SIZE_PX, dtype=np.float32)[:, None, None]
    picture = (1 - ramp) * np.asarray(top, np.float32) + ramp * np.asarray(bottom, np.float32)
    steps = np.arange(SIZE_PX, dtype=np.float32)
    bands = amplitude * np.sin(fx * steps[None, :] + fy * steps[:, None])
    picture = np.clip(picture + bands[:, :, None], 0, 1)
    return np.broadcast_to(picture[None], (NUM_FRAMES, SIZE_PX, SIZE_PX, 3)).astype(np.float32)


def render(scene: Scene) -> Frames:
    """The clip of a scene, later things in front, `[F, H, W, 3]` float32 in [0, 1]."""
    clip = paint_background(scene.background)
    for thing in scene.things:
        alpha = coverage(thing)[..., None]
        clip = clip * (1 - alpha) + alpha * np.asarray(rgb(thing.colour), np.float32)
    return clip.astype(np.float32)


def apply_style(clip: Frames, style: str) -> Frames:
    """Whole-picture styles as fixed colour matrices (ITU-R BT.601 luma; the usual sepia matrix)."""
    luma = clip @ np.asarray(LUMA, np.float32)
    if style == "grayscale":
        return np.repeat(luma[..., None], 3, axis=-1)
    if style == "invert":
        return 1 - clip
    matrix = np.asarray([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32)
    return np.clip(clip @ matrix.T, 0, 1).astype(np.float32)


def _random_thing(rng: np.random.Generator, shape: str, colour: str, radius_px: float) -> Thing:
    low, high = radius_px + 1, SIZE_PX - radius_px - 1
    start = rng.uniform(low, high, 2)
    end = np.clip(start + rng.uniform(-12, 12, 2), low, high)
    velocity = (end - start) / (NUM_FRAMES - 1)
    return Thing(
        shape,
        colour,
        float(radius_px),
        (float(start[0]), float(start[1])),
        (float(velocity[0]), float(velocity[1])),
    )


def _overlap(a: Thing, b: Thing) -> bool:
    for frame in (0, NUM_FRAMES // 2, NUM_FRAMES - 1):
        x, y = (
            a.start_px[i] + a.velocity_px[i] * frame - b.start_px[i] - b.velocity_px[i] * frame
            for i in (0, 1)
        )
        if math.hypot(x, y) < a.radius_px + b.radius_px:
            return True
    return False


def random_scene(rng: np.random.Generator, num_things: int) -> Scene:
    """A scene whose things differ in both shape and colour and never cover each other."""
    shapes = rng.choice(SHAPES, num_things, replace=False)
    colours = rng.choice(list(HUES), num_things, replace=False)
    largest_px = 14.0 if num_things == 1 else 12.5
    while True:
        things = tuple(
            _random_thing(rng, str(s), str(c), float(rng.uniform(9.5, largest_px)))
            for s, c in zip(shapes, colours, strict=True)
        )
        if num_things == 1 or not _overlap(*things):
            break
    base = rng.uniform(0.25, 0.8)
    shades = [
        tuple(float(v) for v in np.clip(base + rng.uniform(-0.15, 0.15) + rng.uniform(-0.06, 0.06, 3), 0, 1))
        for _ in range(2)
    ]
    return Scene(things, (shades[0], shades[1]))  # type: ignore[arg-type]  # numpy scalars become 3-tuples of float


def _luma(colour: tuple[float, float, float]) -> float:
    return sum(weight * value for weight, value in zip(LUMA, colour, strict=True))


def _stands_out(scene: Scene) -> bool:
    """Whether every thing is lighter or darker than all of its background, so that a gray picture has outlines."""
    shades = [_luma(shade) for shade in scene.background if not isinstance(shade, str)]
    low, high = min(shades) - MIN_CONTRAST, max(shades) + MIN_CONTRAST
    return not any(low < _luma(rgb(thing.colour)) < high for thing in scene.things)


def references(thing: Thing, num_things: int) -> list[str]:
    """The ways to name a thing that leave no doubt which one is meant."""
    forms = [f"the {thing.colour} {thing.shape}", f"the {thing.shape}", f"the {thing.colour} one"]
    return [*forms, "it"] if num_things == 1 else forms


_WORDINGS = {
    "recolour": ("make {0} {1}", "turn {0} {1}", "recolour {0} to {1}", "change the colour of {0} to {1}"),
    "remove": ("remove {0}", "delete {0}", "erase {0} from the video", "get rid of {0}"),
    "background": (
        "change the background to {1}",
        "replace the background with {1}",
        "put it in front of {1}",
    ),
    "grayscale": ("make it grayscale", "turn the video black and white"),
    "invert": ("invert the colours", "make it a negative"),
    "sepia": ("make it sepia", "give the video a sepia tone"),
}
NAMED_BACKGROUNDS = {
    "sunset": "a sunset",
    "night": "a night sky",
    "grass": "grass",
    "ocean": "the ocean",
    "desert": "a desert",
}


def wordings(kind: str, value: str, thing: Thing, num_things: int) -> tuple[str, ...]:
    """Every sentence for an edit."""
    group = _WORDINGS[value if kind == "style" else kind]
    named = references(thing, num_things) if kind in ("recolour", "remove") else [""]
    return tuple(
        wording.format(name, NAMED_BACKGROUNDS.get(value, value)) for wording in group for name in named
    )


def style_wordings(style: str) -> tuple[str, ...]:
    """Every sentence that asks for a style."""
    return _WORDINGS[style]


def vocabulary() -> list[str]:
    """Every word the generator can say, sorted."""
    sentences = [wording for group in _WORDINGS.values() for wording in group]
    words = " ".join([*sentences, *HUES, *SHAPES, *NAMED_BACKGROUNDS.values(), "the one it"]).split()
    return sorted({word for word in words if "{" not in word})


def _mask(rng: np.random.Generator, kind: str, region: Frames) -> Frames:
    mask = np.zeros((NUM_FRAMES, SIZE_PX, SIZE_PX), np.float32)
    if kind == "none":
        return mask + 1
    if kind == "half":
        halves = [
            np.s_[:, :, : SIZE_PX // 2],
            np.s_[:, :, SIZE_PX // 2 :],
            np.s_[:, : SIZE_PX // 2],
            np.s_[:, SIZE_PX // 2 :],
        ]
        # One of the halves that hold a fair share of what is edited, so that there is something to see.
        shares = [float(region[half].sum()) for half in halves]
        mask[halves[rng.choice([i for i in range(4) if shares[i] >= 0.5 * max(shares)])]] = 1
        return mask
    if kind == "time":  # frames 0-4 or 5-8: the two cuts that fall between latent frames of a 9-frame clip
        mask[np.s_[5:] if rng.random() < 0.5 else np.s_[:5]] = 1
        return mask
    return dilate(region, 4)


def dilate(region: Frames, radius_px: int) -> Frames:
    """A box-dilated binary cover of `region` (`[F, H, W]`)."""
    grown = np.array(region > 0.01, dtype=np.bool_)
    for axis in (1, 2):
        padded = np.pad(grown, [(0, 0) if a != axis else (radius_px, radius_px) for a in range(3)])
        grown = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius_px + 1, axis=axis).any(axis=-1)
    return np.asarray(grown, dtype=np.float32)


def example(
    seed: int, *, kind: str | None = None, mask_kind: str | None = None, num_things: int | None = None
) -> Example:
    """The example of a seed; `kind`, `mask_kind` and `num_things` fix what is otherwise drawn from the seed."""
    rng = np.random.default_rng(seed)
    kind, mask_kind, scene, thing = _drawn(rng, kind, mask_kind, num_things)
    source = render(scene)
    region, value, edited = _edit(rng, kind, scene, thing, source)
    seen = region if region.any() else np.maximum.reduce([coverage(t) for t in scene.things])
    mask = _mask(rng, mask_kind, seen)
    target = mask[..., None] * edited + (1 - mask[..., None]) * source
    sentences = wordings(kind, value, thing, len(scene.things))
    text = str(rng.choice(sentences))
    return Example(
        seed,
        kind,
        value,
        mask_kind,
        sentences,
        text,
        source,
        target.astype(np.float32),
        mask,
        region,
        len(scene.things),
        source,
    )


def drawn(seed: int, *, kind: str | None = None, num_things: int | None = None) -> tuple[Scene, Thing]:
    """The scene of the example of a seed, and the thing in it that is recoloured or removed."""
    _, _, scene, thing = _drawn(np.random.default_rng(seed), kind, None, num_things)
    return scene, thing


def _drawn(
    rng: np.random.Generator, kind: str | None, mask_kind: str | None, num_things: int | None
) -> tuple[str, str, Scene, Thing]:
    """The kind of edit and of mask, the scene, and the thing that is edited."""
    drawn_kind = str(rng.choice(("recolour", "remove", "background", "style"), p=(0.42, 0.22, 0.18, 0.18)))
    drawn_things = 2 if rng.random() < 0.6 else 1
    kind, num_things = kind or drawn_kind, num_things or drawn_things
    choices = (
        ("none", "object", "half", "time") if kind in ("recolour", "remove") else ("none", "half", "time")
    )
    weights = (0.6, 0.14, 0.06, 0.2) if len(choices) == 4 else (0.65, 0.13, 0.22)
    drawn_mask = str(rng.choice(choices, p=weights))
    mask_kind = mask_kind or drawn_mask
    scene = random_scene(rng, num_things)
    while kind == "style" and not _stands_out(scene):
        scene = random_scene(rng, num_things)
    return kind, mask_kind, scene, scene.things[rng.integers(num_things)]


def continued(seed: int) -> Example:
    """The example of a seed, with its first 5 frames edited already: how a window of a long clip goes on from another."""
    whole = example(seed, mask_kind="none")
    mask = whole.mask.copy()
    mask[:5] = 0
    return replace(whole, mask=mask, mask_kind="time", kept=whole.target)


def _edit(
    rng: np.random.Generator, kind: str, scene: Scene, thing: Thing, source: Frames
) -> tuple[Frames, str, Frames]:
    """Region, value and fully edited clip (before any mask) of one edit."""
    choices: dict[str, Sequence[str]] = {
        "recolour": [colour for colour in HUES if colour != thing.colour],
        "remove": (),
        "background": BACKGROUNDS,
        "style": STYLES,
    }
    value = str(rng.choice(choices[kind])) if choices[kind] else ""
    nothing = np.zeros(source.shape[:3], np.float32)
    region = coverage(thing) if kind in ("recolour", "remove") else nothing
    return region, value, edited(scene, kind, value, thing)


def edited(scene: Scene, kind: str, value: str, thing: Thing) -> Frames:
    """The clip of a scene after an edit of all of it; `thing` is what is recoloured or removed."""
    if kind == "recolour":
        things = tuple(replace(one, colour=value) if one is thing else one for one in scene.things)
        return render(replace(scene, things=things))
    if kind == "remove":
        return render(replace(scene, things=tuple(one for one in scene.things if one is not thing)))
    if kind == "background":
        return render(replace(scene, background=value))
    return apply_style(render(scene), value)
