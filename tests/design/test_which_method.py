"""The page that says which method is for which edit: its numbers are the plan's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reelpatch.plan.job import Job, count_work
from reelpatch.plan.machine import Machine, is_fitting, memory_on
from reelpatch.plan.memory import GIB
from reelpatch.plan.models import models_of
from reelpatch.recipes import RECIPES, recipe

PAGE = (Path(__file__).parents[2] / "docs" / "which_method.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| `([\w.-]+)` \| [^|]+ \| (\d+) \| (\d+) \| (\d+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$",
    PAGE,
    re.MULTILINE,
)
CARDS_GIB = (4, 6, 8, 10, 12, 16, 24, 32, 48, 80)


def smallest_card(job: Job) -> int:
    models = models_of(job.recipe, {})
    cards = (Machine("a card", ram=256 * GIB, vram=gib * GIB) for gib in CARDS_GIB)
    fitting = (one for one in cards if is_fitting(one, memory_on(one, job, models)))
    return round((next(fitting).vram or 0) / GIB)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_numbers_are_the_plans(row: tuple[str, ...]) -> None:
    name, steps, card, work, mask, reference = row
    record = recipe(name)
    job = Job(record, record.frames, (record.height, record.width), record.least_references)
    assert int(steps) == record.steps
    assert int(card) == smallest_card(job)
    assert int(work) == round(count_work(job, models_of(record, {})).denoise.total / 1e15)
    is_told = record.kind in ("vace", "adapter")
    assert is_told or mask == ("pasted back" if record.sees_clip else "no clip is seen")
    if record.canvas or record.segments:
        layout = record.segments
        most = (
            record.canvas.most_references
            if record.canvas
            else (layout.most_references if layout and layout.reference_px is not None else 0)
        )
        assert reference == {0: "no", 1: "one", 16: "up to 16"}[most]


def test_every_method_in_context_is_there() -> None:
    told = {row[0] for row in ROWS}
    published = {name for name, one in RECIPES.items() if any(file.url for file in one.files)}
    assert {name for name in published if RECIPES[name].segments or RECIPES[name].canvas} <= told
