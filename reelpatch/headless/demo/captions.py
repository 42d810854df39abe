"""Captions of the demo's scenes, in words that its text encoder knows: what its LoRA of captions was trained on."""

from __future__ import annotations

from reelpatch.headless.demo.scenes import NAMED_BACKGROUNDS, Scene


def caption_of(scene: Scene) -> str:
    """What a scene shows, such as `red circle and green square in front of a night sky`; soft shades have no name.

    Guarantees: 11 words at most, all of the demo's vocabulary.
    """
    things = " and ".join(f"{thing.colour} {thing.shape}" for thing in scene.things)
    if not isinstance(scene.background, str):
        return things
    return f"{things} in front of {NAMED_BACKGROUNDS[scene.background]}"
