"""The scenes from which the demo's edit module learns further, in shards that a killed run keeps.

Several edits of one scene stand side by side, so that the words alone say which thing is meant and what becomes of it. They come
as clips of 9 frames, and with their first frame given as the recipe shows it, 13 frames long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan

from reelpatch.clips.given_frame import GivenFrame
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.scenes import Example, Scene, Thing
from reelpatch.recipes import recipe
from training import latents
from training.latents import Shards, encode_examples, joined, published
from training.shard_folder import JoinedShards, Shard, ShardFolder

FIRST_SEED, SEEDS_OF_A_SHARD = 35_000_000, 1000
# Of a shard: scenes with all of their edits in 9 frames, clips as all stages draw them, scenes with their edits after a given frame.
COUNTS = (56, 112, 22)
# Those of a training by time: more masks in time, which the module did less well after the first.
TIMED_SEED, TIMED_COUNTS = 37_500_000, (44, 160, 22)
ENOUGH_SHARDS = 6  # to begin with
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


@lru_cache(maxsize=1)
def edits_at(seed: int) -> list[Example]:
    """As `edits_of`, for who takes them one by one."""
    return edits_of(seed)


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


def examples_of(first: int, counts: tuple[int, int, int] = COUNTS) -> tuple[list[Example], list[Example]]:
    """The examples of a shard that begins with a seed: those of 9 frames, and those after a given one; `counts` as `COUNTS`."""
    num_scenes, num_others, num_given = counts
    others, given = first + num_scenes, first + num_scenes + num_others
    plain = [edit for seed in range(first, others) for edit in edits_of(seed)]
    plain += [other_of(seed) for seed in range(others, given)]
    return plain, [
        first_frame_given(edit) for seed in range(given, given + num_given) for edit in edits_of(seed)
    ]


class SceneFolder(JoinedShards[Scenes]):
    """Shards of scenes in a part of `folder`; the VAE is asked for where one is to be made."""

    def __init__(
        self,
        vae: Callable[[], AutoencoderKLWan],
        folder: Path,
        first_seed: int = FIRST_SEED,
        counts: tuple[int, int, int] = COUNTS,
    ) -> None:
        def encoded(number: int) -> Shard:
            plain, given = examples_of(first_seed + number * SEEDS_OF_A_SHARD, counts)
            statistics = published(vae())
            return {
                part: encode_examples(vae(), statistics, one)
                for part, one in (("plain", plain), ("given", given))
            }

        super().__init__(ShardFolder(folder / "further_scenes", encoded), _joined, ENOUGH_SHARDS)


def _joined(parts: list[Shard]) -> Scenes:
    return Scenes(*(joined([shard[part] for shard in parts]) for part in ("plain", "given")))
