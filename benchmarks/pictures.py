"""How well the demo's picture weights edit: held-out pictures, plain and by reasoning, beside the copied source and the VAE's ceiling.

`python -m benchmarks.pictures --pictures 256`: the kinds of edit come in turn, and the demo's own judge looks at them.
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
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.clips.frames import as_clip, as_video
from reelpatch.clips.worked_clip import Finishing
from reelpatch.edits.reasoning.worked_picture import WorkedPicture
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.demo.scenes import Example
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.recipes import Recipe, recipe

FIRST_SEED = scenes.HELD_OUT + 2000
PLAIN, REASONING = "demo-picture", "demo-picture-reasoning"
KINDS: dict[str, tuple[str, int | None]] = {
    "recolour, one object": ("recolour", 1),
    "recolour, two objects": ("recolour", 2),
    "remove": ("remove", None),
    "background": ("background", None),
    "style": ("style", None),
}
"""Kind of edit, and the number of things in the picture where that is fixed."""


@dataclass(frozen=True)
class Outcome:
    """One picture: whether the edit was done, and by whom; None where that was not tried.

    `kept_changed` is how many 8-bit values outside a mask around the thing differ from the source in the finished picture.
    """

    kind: str
    plain: bool
    reasoned: bool | None
    copied: bool
    ceiling: bool | None
    kept_changed: int | None


def picture_of(name: str, seed: int) -> Example:
    """The first frame of a held-out scene, as an example of one frame."""
    kind, num_things = KINDS[name]
    clip = scenes.example(seed, kind=kind, mask_kind="none", num_things=num_things)
    parts = {part: getattr(clip, part)[:1] for part in ("source", "target", "mask", "region", "kept")}
    return replace(clip, **parts)


def is_done(example: Example, picture: Tensor) -> bool:
    """The judge's verdict on an edited picture [H, W, 3]."""
    return judge(example, picture[None].numpy().astype(np.float32)).hit


def outcomes(
    num_pictures: int, kinds: Sequence[str] = tuple(KINDS), *, reason_each: int = 1, ceiling_each: int = 1
) -> list[Outcome]:
    """Held-out pictures of these kinds in turn.

    Those of one of `reason_each` rounds are also edited by reasoning; the truth of one of `ceiling_each` goes through the VAE.
    """
    plain, reasoning = (PictureEditor(recipe(name)) for name in (PLAIN, REASONING))
    found: list[Outcome] = []
    for number in range(num_pictures):
        name = kinds[number % len(kinds)]
        example = picture_of(name, FIRST_SEED + number)
        source = torch.from_numpy(example.source[0])
        made = plain.edit(source, example.instruction, seed=number).picture
        reasoned = ceiling = None
        if number // len(kinds) % reason_each == 0:
            reasoned = is_done(example, reasoning.edit(source, example.instruction, seed=number).picture)
        if number // len(kinds) % ceiling_each == 0:
            ceiling = is_done(example, _through_vae(plain, example))
        found.append(
            Outcome(
                *(name, is_done(example, made), reasoned, is_done(example, source), ceiling),
                kept_changed=_kept_changed(example, source, plain.recipe, made),
            )
        )
    return found


def _through_vae(editor: PictureEditor, example: Example) -> Tensor:
    """The truth as the end of a film, encoded and decoded: no edit can be better."""
    source, target = (torch.from_numpy(part[0]) for part in (example.source, example.target))
    film = torch.stack([source, *[target] * 4])
    return as_clip(editor.vae.decode(editor.vae.encode(as_video(film))))[-1]


def _kept_changed(example: Example, source: Tensor, settings: Recipe, made: Tensor) -> int | None:
    """With a mask around the thing that is edited; None where the edit is of no thing."""
    if not example.region.any():
        return None
    mask = torch.from_numpy(scenes.dilate(example.region, 4))
    worked = WorkedPicture.of(
        source,
        mask,
        settings.check_pictures(),
        finishing=Finishing(),
        lattice=settings.lattice,
        area=(settings.height, settings.width),
    )
    finished = worked.finished(worked.restored(made))
    return int((to_bytes(finished) != to_bytes(source))[(mask[0] < 0.5).numpy()].sum())


def report(found: Sequence[Outcome]) -> dict[str, Any]:
    """Rates by kind of edit, in plain types; null where nothing was tried."""
    kept = [one.kept_changed for one in found if one.kept_changed is not None]
    rows = {name: _row([one for one in found if one.kind == name]) for name in KINDS}
    return {
        "pictures": len(found),
        "edits": {name: row for name, row in rows.items() if row["n"]},
        "with_a_mask": len(kept),
        "kept_8bit_values_changed": sum(kept),
    }


def _row(found: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "n": len(found),
        "done": _rate([one.plain for one in found]),
        "done_by_reasoning": _rate([one.reasoned for one in found if one.reasoned is not None]),
        "source_copied": _rate([one.copied for one in found]),
        "vae_ceiling": _rate([one.ceiling for one in found if one.ceiling is not None]),
    }


def _rate(hits: Sequence[bool]) -> float | None:
    return round(sum(hits) / len(hits), 3) if hits else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument(
        "--reason-each", type=int, default=1, help="edit by reasoning in one of so many rounds"
    )
    options = parser.parse_args()
    found = outcomes(options.pictures, reason_each=options.reason_each)
    sys.stdout.write(f"{json.dumps(report(found), indent=1)}\n")
