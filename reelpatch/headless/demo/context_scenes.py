"""Scenes for editing in context: masks that say where and when, ramps, and pictures that say which colour or background.

As those of `scenes.py`, each is a pure function of its seed, and made of the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.scenes import Example, Frames

Asked = Literal["plain", "ramp", "window", "pointed", "whole", "continued", "reference"]
"""What is said beside the instruction: a mask that grows in time, one of some frames, one that says which thing is meant, one of the
whole picture, first frames that are edited already, or a picture. `plain` is as `scenes.example` draws it."""

_BY_PICTURE = {
    "recolour": ("recolour {0}", "change the colour of {0}"),
    "background": ("change the background", "replace the background"),
}


@dataclass(frozen=True)
class ContextExample:
    """An example with what `asked` adds to it.

    Shapes: reference `[H, W, 3]` in [0, 1], a still that shows `example.value`, of which its sentences say nothing.
    """

    example: Example
    asked: Asked
    reference: Frames | None = None

    @property
    def source(self) -> Frames:
        """The clip that the editor is given, `[F, H, W, 3]`: where nothing is edited, as it is to stay."""
        mask = self.example.mask[..., None]
        return np.where(mask > 0, self.example.source, self.example.kept)

    @property
    def whole(self) -> Frames:
        """The clip as it would be with all of it edited, `[F, H, W, 3]`."""
        one = self.example
        return scenes.example(one.seed, kind=one.kind, mask_kind="none", num_things=one.num_things).target

    @property
    def mask(self) -> Frames | None:
        """Where and when to edit, `[F, H, W]` in [0, 1]; None where the instruction alone says so."""
        return None if self.example.mask_kind == "none" else self.example.mask


def context_example(
    seed: int, asked: Asked, *, kind: str | None = None, num_things: int | None = None
) -> ContextExample:
    """The example of a seed. `kind` and `num_things` fix what is otherwise drawn from the seed; only `plain` ones have other masks."""
    assert asked in get_args(Asked)
    rng = np.random.default_rng((seed, 17))
    if asked == "plain":
        return ContextExample(scenes.example(seed, kind=kind, num_things=num_things), asked)
    if asked == "continued":
        return ContextExample(scenes.continued(seed), asked)
    if asked == "pointed":
        return ContextExample(_pointed(seed, rng, kind), asked)
    if asked == "reference":
        return _by_picture(seed, rng, kind, num_things)
    plain = scenes.example(seed, kind=kind, mask_kind="none", num_things=num_things)
    return ContextExample(_masked(plain, asked, _moments(rng, asked)), asked)


def _moments(rng: np.random.Generator, asked: Asked) -> Sequence[float]:
    """How much every frame is edited, 0 to 1."""
    frames = np.arange(scenes.NUM_FRAMES)
    if asked == "whole":
        return np.ones(len(frames)).tolist()
    if asked == "window":  # any frames but all of them
        first = int(rng.integers(len(frames)))
        last = int(rng.integers(first, len(frames) - 1 if first == 0 else len(frames)))
        return ((frames >= first) & (frames <= last)).astype(float).tolist()
    first = int(rng.integers(3))  # the last one that is as it was
    last = int(rng.integers(first + 3, len(frames)))  # the first one that is edited wholly
    return np.clip((frames - first) / (last - first), 0, 1).tolist()


def _masked(plain: Example, asked: Asked, moments: Sequence[float]) -> Example:
    mask = np.ones_like(plain.mask) * np.asarray(moments, np.float32)[:, None, None]
    target = mask[..., None] * plain.target + (1 - mask[..., None]) * plain.source
    return replace(plain, mask=mask, mask_kind=asked, target=target)


def faded(example: ContextExample) -> ContextExample:
    """A ramp the other way round: edited at first, as it was at last."""
    one, mask = example.example, example.example.mask[::-1].copy()
    target = mask[..., None] * example.whole + (1 - mask[..., None]) * one.source
    return replace(example, example=replace(one, mask=mask, target=target))


def _pointed(seed: int, rng: np.random.Generator, kind: str | None) -> Example:
    """One of two things, which the sentence calls `it`: the mask says which."""
    kind = kind or str(rng.choice(("recolour", "remove")))
    one = scenes.example(seed, kind=kind, mask_kind="object", num_things=2)
    _, thing = scenes.drawn(seed, kind=kind, num_things=2)
    sentences = tuple(text for text in scenes.wordings(kind, one.value, thing, 1) if "it" in text.split())
    return replace(one, wordings=sentences, instruction=str(rng.choice(sentences)))


def _by_picture(
    seed: int, rng: np.random.Generator, kind: str | None, num_things: int | None
) -> ContextExample:
    kind = kind or str(rng.choice(("recolour", "background"), p=(0.6, 0.4)))
    one = scenes.example(seed, kind=kind, mask_kind="none", num_things=num_things)
    _, thing = scenes.drawn(seed, kind=kind, num_things=num_things)
    names = scenes.references(thing, one.num_things) if kind == "recolour" else [""]
    sentences = tuple(form.format(name) for form in _BY_PICTURE[kind] for name in names)
    shown = scenes.random_scene(rng, 1)
    if kind == "recolour":
        shown = replace(shown, things=(replace(shown.things[0], colour=one.value),))
    else:
        shown = replace(shown, background=one.value)
    example = replace(one, wordings=sentences, instruction=str(rng.choice(sentences)))
    return ContextExample(example, "reference", scenes.render(shown)[0])
