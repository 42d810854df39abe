"""What the demo weights make of VACE tasks, on held-out scenes: `python -m benchmarks.vace_tasks [--clips N]`.

Each task is laid out as the engine does, made, and finished. Printed for each, as means over the clips: how much of
what is to be made up changed; how near it came to the true picture, beside what stood there before (gray, or the
source); how well the model kept the rest by itself; and how many 8-bit values of the rest differ in the finished clip.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import Box
from reelpatch.edits.vace.task_layouts import Sides
from reelpatch.edits.vace.tasks import Sizing, TaskMaterial, build_task
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.measure.likeness import psnr
from reelpatch.recipes import recipe

FIRST_SEED = scenes.HELD_OUT + 2_000_000
SIZING = Sizing(scenes.NUM_FRAMES, (scenes.SIZE_PX, scenes.SIZE_PX))
CHANGED_BY = 4 / 255  # more than a codec or a VAE moves what it keeps


@dataclass(frozen=True)
class Case:
    """One clip of one task: what it is made of, what is asked for and what would be right."""

    task: str
    material: TaskMaterial
    prompt: str
    truth: Tensor


@dataclass(frozen=True)
class Figures:
    """Units: `changed` is a share of what is made up; PSNR in dB; `kept_changed` counts 8-bit values."""

    changed: float
    to_truth_db: float
    before_db: float
    kept_db: float
    kept_changed: int


def masked_edit(seed: int) -> Case:
    example = scenes.example(seed, kind="recolour", mask_kind="object")
    source, mask = torch.from_numpy(example.source), torch.from_numpy(example.mask)
    material = TaskMaterial(clip=source, mask=mask)
    return Case("control", material, example.instruction, torch.from_numpy(example.target))


def inpaint(seed: int) -> Case:
    true, prompt = _named_background(seed)
    return Case("inpaint", TaskMaterial(clip=true, boxes=(Box(16, 16, 32, 32),)), prompt, true)


def outpaint(seed: int) -> Case:
    true, prompt = _named_background(seed)
    inner = true[:, :, 16:48].contiguous()
    return Case("outpaint", TaskMaterial(clip=inner, sides=Sides(left=0.5, right=0.5)), prompt, true)


def extend_first(seed: int) -> Case:
    true, prompt = _named_background(seed)
    return Case("extend", TaskMaterial(first=true[:1]), prompt, true)


def extend_clip(seed: int) -> Case:
    true, prompt = _named_background(seed)
    return Case("extend", TaskMaterial(first=true[:5]), prompt, true)


def extend_between(seed: int) -> Case:
    true, prompt = _named_background(seed)
    return Case("extend", TaskMaterial(first=true[:1], last=true[-1:]), prompt, true)


def _named_background(seed: int) -> tuple[Tensor, str]:
    """A clip before a background that has a name, and the words for it: the demo weights know no other description."""
    example = scenes.example(seed, kind="background", mask_kind="none")
    return torch.from_numpy(example.target), example.instruction


CASES: Mapping[str, Callable[[int], Case]] = {
    "edit under a mask": masked_edit,
    "inpaint a box": inpaint,
    "outpaint, left and right": outpaint,
    "extend a first frame": extend_first,
    "extend a first clip": extend_clip,
    "extend between two frames": extend_between,
}


def measured(editor: Editor, case: Case, seed: int) -> Figures:
    """The figures of one clip."""
    built = build_task(case.task, case.material, SIZING).input
    made = editor.render(built.clip, case.prompt, mask=built.mask, seed=seed)
    finished = paste_back(made, built.clip, built.hard_mask)
    inside = built.hard_mask > 0
    difference = (finished - built.clip).abs().amax(-1)[inside]
    return Figures(
        changed=float((difference > CHANGED_BY).float().mean()),
        to_truth_db=psnr(finished, case.truth, inside),
        before_db=psnr(built.clip, case.truth, inside),
        kept_db=psnr(made, built.clip, ~inside),
        kept_changed=int((_bytes(finished) != _bytes(built.clip))[~inside].sum()),
    )


def _bytes(clip: Tensor) -> Tensor:
    return (clip.clamp(0, 1) * 255).round().to(torch.uint8)


def main(num_clips: int) -> None:
    editor = Editor(recipe("demo"))
    out = sys.stdout
    out.write(
        "| task | clips | made up changed | to the truth | before | kept by the model alone | kept values changed |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for name, case in CASES.items():
        rows: list[Figures] = []
        for seed in range(FIRST_SEED, FIRST_SEED + num_clips):
            rows.append(measured(editor, case(seed), seed))
        out.write(
            f"| {name} | {len(rows)} | {fmean(row.changed for row in rows):.1%} | "
            f"{fmean(row.to_truth_db for row in rows):.1f} dB | {fmean(row.before_db for row in rows):.1f} dB | "
            f"{fmean(row.kept_db for row in rows):.1f} dB | {sum(row.kept_changed for row in rows)} |\n"
        )
        out.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=50, help="of each task (%(default)s)")
    main(parser.parse_args().clips)
