"""Guidance at the first steps alone: as many forwards as the plan says, and all steps are the run as it was."""

from dataclasses import replace

import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.plan.job import Job
from reelpatch.plan.lighter import lighter_runs
from reelpatch.plan.models import models_of
from reelpatch.recipes import Recipe, recipe

GUIDED = recipe("demo").guided(2.0)
CLIP = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)[:5]


def forwards(models: LoadedRecipe, run: object) -> int:
    """How many of the backbone a run takes."""
    made: list[int] = []
    models.transformer().backbone.register_forward_pre_hook(lambda *_given: made.append(1))
    assert callable(run)
    run()
    return len(made)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_edit_takes_the_forwards_that_are_planned(steps: int) -> None:
    settings = GUIDED.guided(None, steps)
    editor = Editor(settings)
    assert forwards(editor, lambda: editor.edit(CLIP, "make it sepia")) == 4 + steps
    assert len(list(Job(settings, 5, (64, 64)).passes())) == 4 + steps


def test_the_last_steps_of_an_enhancer_are_counted_from_their_first() -> None:
    """Its run begins at step 38 of 40."""
    settings = recipe("demo-enhance").guided(2.0, 1)
    enhancer = Enhancer(settings)
    assert forwards(enhancer, lambda: enhancer.enhance(CLIP)) == 3
    assert len(list(Job(settings, 5, (64, 64)).passes())) == 3


def test_at_all_steps_it_is_the_run_as_it_was_and_at_fewer_another() -> None:
    editor = Editor(GUIDED)
    full = editor.edit(CLIP, "make it sepia")
    every, first = (editor.under(GUIDED.guided(None, steps)).edit(CLIP, "make it sepia") for steps in (4, 1))
    assert torch.equal(every, full)
    assert not torch.equal(first, full)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ditto-global", [(1, 5), (2, 6)]),
        ("vace", [(1, 51), (25, 75)]),
        ("bernini-r", [(1, 41), (20, 60)]),
        ("enhance", [(1, 5), (2, 6)]),
        ("vdot", []),
    ],
)
def test_the_plan_says_what_less_guidance_takes(name: str, expected: list[tuple[int, int]]) -> None:
    record = recipe(name)
    job = Job(record, record.frames, (record.height, record.width))
    found = lighter_runs(job, models_of(record, {}))
    assert [(one.guidance_steps, one.forwards) for one in found if not one.half_size_steps] == expected
    assert all(0 < one.times < 1 for one in found)
    already = replace(job, recipe=record.guided(None, 1)) if expected else job
    assert all(one.guidance_steps is None for one in lighter_runs(already, models_of(record, {})))


@pytest.mark.parametrize(
    ("settings", "steps", "words"),
    [
        (recipe("demo"), 1, "'demo' runs without guidance"),
        (GUIDED, 0, "at the first 0 steps, but the run has 4: use 1 to 4"),
        (GUIDED, 5, "at the first 5 steps, but the run has 4"),
    ],
)
def test_steps_that_are_not_there_are_refused(settings: Recipe, steps: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        settings.guided(None, steps)


def test_what_a_recipe_guides_stays_within_its_steps() -> None:
    only_second = replace(GUIDED, guidance=replace(GUIDED.guidance, steps=frozenset({1})))
    assert only_second.guided(None, 3).guidance.steps == {1}
    assert "at 2 steps alone" in GUIDED.guided(None, 2).guidance.describe()
    assert "at one step alone" in GUIDED.guided(None, 1).guidance.describe()
