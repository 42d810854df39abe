"""What attention sharing keeps and changes, on the demo's weights with the LoRA of captions.

`python -m benchmarks.pairs --pairs 210`: pairs of two captions, by the schedule of their kind of change and, of the same noise,
by none. `--edits 100`: held-out clips that are given, edited by two captions, and the same edits by the demo's trained editor.

A change counts as present where source and target have the things, in the colours, or the background, that their captions name
(`shows`). What lies outside the change is where no named thing of either caption is, 4 pixels around it left out, and for a
background all that is no background in the source.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.work import draw_pair
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.captions import caption_of
from reelpatch.headless.demo.judge import judge, psnr_db
from reelpatch.headless.demo.scenes import Frames, Scene
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.pair_maker import PairMaker
from reelpatch.headless.rendering import decode
from reelpatch.progress import silent
from reelpatch.recipes import recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.solvers import SOLVERS

FIRST_SEED = scenes.HELD_OUT + 5000
KINDS = ("colour", "insertion", "background")
AT_ONCE = 10  # pairs in a batch
NEAR = 0.3  # how far a pixel may be from a colour of the palette, of RGB in [0, 1]
FEWEST_PX = 40  # of a thing in a frame; the smallest has 180
MARGIN_PX = 4
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """A pair that is asked for: both scenes, and the kind of change between them."""

    kind: str
    source: Scene
    target: Scene

    @classmethod
    def of(cls, seed: int) -> Asked:
        """Kinds in turn; what changes is drawn from the seed."""
        rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
        things = scenes.random_scene(rng, 2).things
        first, second = (str(one) for one in rng.choice(scenes.BACKGROUNDS, 2, replace=False))
        if kind == "insertion":
            return cls(kind, Scene(things[:1], first), Scene(things, first))
        if kind == "background":
            return cls(kind, Scene(things[:1], first), Scene(things[:1], second))
        others = [colour for colour in scenes.HUES if colour != things[0].colour]
        other = replace(things[0], colour=str(rng.choice(others)))
        return cls(kind, Scene(things[:1], first), Scene((other,), first))


def coloured(clip: Frames, colour: str) -> Mask:
    """The pixels `[F, H, W]` near a colour of the palette, and nearest to that one."""
    distances = {name: np.linalg.norm(clip - np.float32(scenes.rgb(name)), axis=-1) for name in scenes.HUES}
    nearest = np.minimum.reduce(list(distances.values()))
    return (distances[colour] < NEAR) & (distances[colour] == nearest)


def background_of(clip: Frames, where: Mask) -> str:
    """The named background that is nearest over those pixels."""
    return max(scenes.BACKGROUNDS, key=lambda name: psnr_db(clip, scenes.paint_background(name), where))


def shows(clip: Frames, scene: Scene) -> bool:
    """Whether a clip has, in most of its frames, each colour of the scene's things, and its background; what else is there is not asked."""
    areas = {name: coloured(clip, name).sum((1, 2)) for name in scenes.HUES}
    named = {thing.colour for thing in scene.things}
    has = all(np.median(areas[name]) >= FEWEST_PX for name in named)
    empty = ~np.logical_or.reduce([grown(coloured(clip, name)) for name in named])
    return has and (not empty.any() or background_of(clip, empty) == scene.background)


def grown(mask: Mask) -> Mask:
    """A mask with a margin."""
    return scenes.dilate(mask.astype(np.float32), MARGIN_PX) > 0.5


def outside(asked: Asked, source: Frames, target: Frames) -> Mask:
    """The pixels that the change should have left alone."""
    if asked.kind == "background":
        colour = asked.source.things[0].colour
        kept = coloured(source, colour)
        return kept & ~grown(~kept & ~scenes.dilate(kept.astype(np.float32), 1).astype(bool))
    before = {thing.colour for thing in asked.source.things}
    after = {thing.colour for thing in asked.target.things}
    changing = before ^ after
    touched = [grown(coloured(clip, colour)) for clip in (source, target) for colour in changing]
    return ~np.logical_or.reduce(touched)


def likeness(asked: Asked, source: Frames, target: Frames) -> float | None:
    """PSNR in dB outside the change, None where that is nothing."""
    where = outside(asked, source, target)
    return psnr_db(target, source, where) if where.sum() >= FEWEST_PX else None


class Pairs:
    """Makes pairs by the recipe, several in a batch, as rows of source and target in turn."""

    def __init__(self) -> None:
        self.maker = PairMaker(recipe("demo-shared-attention"))
        self.maker.prepare(scenes.NUM_FRAMES, (scenes.SIZE_PX, scenes.SIZE_PX))

    @torch.no_grad()
    def make(self, asked: Sequence[Asked], change: str, seed: int) -> list[tuple[Frames, Frames]]:
        """The clips of pairs of one kind, by the schedule of `change`."""
        maker = self.maker
        method = replace(maker.recipe.check_shares(), change=change)
        texts = [maker.text(caption_of(scene)) for one in asked for scene in (one.source, one.target)]
        shape = (16, 3, 8, 8)
        noise = torch.cat([draw_pair(shape, seed + number, is_shared=True) for number in range(len(asked))])
        transformer = maker.transformer()
        sigmas = sigmas_of(maker.recipe)
        denoiser = Denoiser(
            transformer.backbone,
            torch.cat(texts),
            sigmas,
            negative=maker.negative(maker.recipe.guidance),
            edits=[SharingEdit(method)],
            guidance=maker.recipe.guidance,
            on_step=transformer.at_step,
        )
        rows = SOLVERS[maker.recipe.solver](denoiser, noise, sigmas)
        clips = [decode(maker, row, silent).numpy() for row in rows]
        return list(zip(clips[::2], clips[1::2], strict=True))


def measure_pairs(count: int) -> dict[str, Any]:
    """By kind of change: the mean likeness outside it and the share of pairs in which it is present, shared and not."""
    pairs, told = Pairs(), {}
    for index, kind in enumerate(KINDS):
        asked = [
            Asked.of(FIRST_SEED - FIRST_SEED % len(KINDS) + index + len(KINDS) * n)
            for n in range(count // len(KINDS))
        ]
        row: dict[str, Any] = {"pairs": len(asked)}
        for name, change in (("shared", kind), ("independent", "none")):
            found: list[tuple[float | None, bool]] = []
            for first in range(0, len(asked), AT_ONCE):
                some = asked[first : first + AT_ONCE]
                for one, (source, target) in zip(some, pairs.make(some, change, first), strict=True):
                    present = shows(source, one.source) and shows(target, one.target)
                    found.append((likeness(one, source, target), present))
            row[name] = _summary(found)
        told[kind] = row
    return told


def _summary(found: Sequence[tuple[float | None, bool]]) -> dict[str, Any]:
    values = [value for value, _ in found if value is not None]
    return {
        "psnr_outside_db": round(float(np.mean(values)), 1) if values else None,
        "change_present": round(float(np.mean([present for _, present in found])), 3),
    }


def measure_edits(count: int) -> dict[str, Any]:
    """Held-out clips recoloured or put before another background, by two captions and by the trained editor.

    Both are judged by the demo's own judge; what lies outside is all but the thing, or the thing for a background.
    """
    by_captions = Editor(recipe("demo-shared-attention"))
    trained = Editor(recipe("demo"))
    told: dict[str, Any] = {}
    for kind, change in (("recolour", "colour"), ("background", "background"), ("remove", "removal")):
        rows: dict[str, list[tuple[float | None, bool]]] = {"shared attention": [], "trained editor": []}
        for seed in range(FIRST_SEED, FIRST_SEED + count // 3):
            example = scenes.example(
                seed, kind=kind, mask_kind="none", num_things=2 if kind == "remove" else 1
            )
            before, after = _captions(seed, kind)
            clip = torch.from_numpy(example.source)
            settings = by_captions.recipe
            assert settings.sharing is not None
            by_captions.recipe = replace(settings, sharing=replace(settings.sharing, change=change))
            results = {
                "shared attention": by_captions.edit(clip, after, caption=before, seed=seed),
                "trained editor": trained.edit(clip, example.instruction, seed=seed),
            }
            for name, result in results.items():
                found = result.numpy()
                where = np.abs(example.target - example.source).max(-1) < 1e-3
                where &= ~grown(~where)
                rows[name].append((psnr_db(found, example.source, where), judge(example, found).hit))
        told[kind] = {"clips": len(rows["trained editor"])} | {
            name: _summary(found) for name, found in rows.items()
        }
    return told


def _captions(seed: int, kind: str) -> tuple[str, str]:
    """What a held-out clip shows, and what it is to show; drawn as `scenes.example` draws it."""
    num_things = 2 if kind == "remove" else 1
    example = scenes.example(seed, kind=kind, mask_kind="none", num_things=num_things)
    scene, thing = scenes.drawn(seed, kind=kind, num_things=num_things)
    before = caption_of(scene)
    if kind == "recolour":
        after = replace(
            scene,
            things=tuple(replace(one, colour=example.value) if one is thing else one for one in scene.things),
        )
    elif kind == "remove":
        after = replace(scene, things=tuple(one for one in scene.things if one is not thing))
    else:
        after = replace(scene, background=example.value)
    return before, caption_of(after)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--edits", type=int, default=0)
    options = parser.parse_args()
    told: dict[str, Any] = {}
    if options.pairs:
        told["pairs"] = measure_pairs(options.pairs)
    if options.edits:
        told["edits"] = measure_edits(options.edits)
    sys.stdout.write(f"{json.dumps(told, indent=1)}\n")


if __name__ == "__main__":
    main()
