"""The scenes from which the demo's edit module learns further, in shards that a killed run keeps.

Several edits of one scene stand side by side, so that the words alone say which thing is meant and what becomes of it. They come
as clips of 9 frames, and with their first frame given as the recipe shows it, 13 frames long.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from reelpatch.clips.given_frame import GivenFrame
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.scenes import Example, Scene, Thing
from reelpatch.recipes import recipe
from training import latents, run
from training.latents import Shards, Statistics, encode_examples, joined

log = logging.getLogger("reelpatch.training")

FIRST_SEED, SEEDS_OF_A_SHARD = 35_000_000, 1000
# Of a shard: scenes with all of their edits in 9 frames, clips as all stages draw them, scenes with their edits after a given frame.
NUM_SCENES, NUM_OTHERS, NUM_GIVEN = 56, 112, 22
HELD_FRAMES = recipe("demo").held_frames


@dataclass(frozen=True)
class Scenes:
    """Encoded examples: clips of 3 latent frames, and clips of 4 of which a given frame holds the first 2."""

    plain: Shards
    given: Shards


def edits_of(seed: int) -> list[Example]:
    """Four edits of one scene: each of its things recoloured, one of them recoloured or removed, and one edit of any kind."""
    rng = np.random.default_rng((seed, 41))
    # A scene for a style stands out in gray, which one for other edits need not.
    is_styled = rng.random() < 0.3
    scene, _ = scenes.drawn(
        seed, kind="style" if is_styled else "recolour", num_things=1 if rng.random() < 0.2 else 2
    )
    one, other = scene.things[0], scene.things[-1]
    third = ("remove", "recolour")[int(rng.random() < 0.4)]
    last = "style" if is_styled else str(rng.choice(("recolour", "background")))
    either = scene.things[int(rng.integers(len(scene.things)))]
    edits: list[Example] = []
    for kind, thing in (("recolour", one), ("recolour", other), (third, either), (last, one)):
        taken = {edit.instruction for edit in edits}
        edits.append(_edit(rng, seed, scene, kind, thing, taken))
    return edits


def _edit(
    rng: np.random.Generator, seed: int, scene: Scene, kind: str, thing: Thing, taken: set[str]
) -> Example:
    values = {
        "recolour": [colour for colour in scenes.HUES if colour != thing.colour],
        "remove": [""],
        "background": scenes.BACKGROUNDS,
        "style": scenes.STYLES,
    }[kind]
    all_wordings = {value: scenes.wordings(kind, value, thing, len(scene.things)) for value in values}
    value = str(rng.choice([value for value, wordings in all_wordings.items() if wordings[0] not in taken]))
    wordings = all_wordings[value]
    if kind in ("recolour", "remove"):
        # Twice those that name a thing by its shape alone, which is hardest to see.
        wordings += tuple(wording for wording in wordings if thing.colour not in wording)
    source = scenes.render(scene)
    return Example(
        seed=seed,
        kind=kind,
        value=value,
        mask_kind="none",
        wordings=wordings,
        instruction=wordings[0],
        source=source,
        target=scenes.edited(scene, kind, value, thing),
        mask=np.ones(source.shape[:3], np.float32),
        region=scenes.coverage(thing) if kind in ("recolour", "remove") else 0 * source[..., 0],
        num_things=len(scene.things),
        kept=source,
    )


def other_of(seed: int) -> Example:
    """An example with whatever mask: one of two things recoloured in a part of the picture, as the judge's are drawn, or what is hard."""
    match seed % 8:
        case 0 | 1 as turn:
            return scenes.example(seed, kind="recolour", mask_kind=("half", "object")[turn], num_things=2)
        case 2:
            return scenes.example(seed)
        case 3:
            return scenes.example(seed, mask_kind="time")
        case _:
            return latents.scene_of(seed)


def first_frame_given(example: Example) -> Example:
    """An example without a mask, its first frame given as edited: source and mask as an edit gets them, and what becomes of them."""
    picture = torch.from_numpy(example.target[0])
    given = GivenFrame(picture, HELD_FRAMES)
    source, mask = given.put(torch.from_numpy(example.source), None)
    target, _ = given.put(torch.from_numpy(example.target), None)
    shown = source.numpy()
    return replace(
        example, source=shown, target=target.numpy(), mask=mask.numpy(), mask_kind="time", kept=shown
    )


def examples_of(first: int) -> tuple[list[Example], list[Example]]:
    """The examples of a shard that begins with a seed: those of 9 frames, and those after a given one."""
    others, given = first + NUM_SCENES, first + NUM_SCENES + NUM_OTHERS
    plain = [edit for seed in range(first, others) for edit in edits_of(seed)]
    plain += [other_of(seed) for seed in range(others, given)]
    return plain, [
        first_frame_given(edit) for seed in range(given, given + NUM_GIVEN) for edit in edits_of(seed)
    ]


class SceneFolder:
    """Shards of scenes, encoded by the shipped VAE into a folder as they are asked for."""

    def __init__(self, vae: AutoencoderKLWan, folder: Path) -> None:
        self._vae, self._folder = vae.eval(), folder / "further_scenes"
        mean, std = (
            torch.tensor(vae.config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std")
        )
        self._statistics = Statistics(mean, std)
        self._shards: list[dict[str, Any]] = []
        self._joined: Scenes | None = None

    def first(self, count: int) -> Scenes:
        """The examples of the first `count` shards."""
        if self._joined is None or len(self._shards) != count:
            self._shards = self._shards[:count] + [self._shard(n) for n in range(len(self._shards), count)]
            self._joined = Scenes(
                *(joined([shard[part] for shard in self._shards]) for part in ("plain", "given"))
            )
        return self._joined

    def _shard(self, number: int) -> dict[str, Any]:
        path = self._folder / f"{number:04d}.pt"
        if not path.exists():
            plain, given = examples_of(FIRST_SEED + number * SEEDS_OF_A_SHARD)
            parts = {"plain": plain, "given": given}
            run.save_atomically(
                {part: encode_examples(self._vae, self._statistics, one) for part, one in parts.items()}, path
            )
            log.info("encoded shard %d", number)
        return torch.load(path, weights_only=True)
