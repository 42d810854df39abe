"""The templates that make pairs of clips: everything but the words comes with the recipe."""

from __future__ import annotations

import pytest

from reelpatch.recipes import RECIPES
from tests.design.workflow_forms import forms, inputs, name_of, note_of
from workflows.templates import WORKFLOWS, Workflow

PAIRS = [workflow for workflow in WORKFLOWS if workflow.is_pair]


@pytest.mark.parametrize("workflow", PAIRS, ids=name_of)
def test_a_pair_is_made_at_the_size_and_length_of_its_recipe(workflow: Workflow) -> None:
    """Size, length and rate come by links from Recipe; both clips are saved, each under its caption."""
    recipe = RECIPES[workflow.recipe]
    _, api = forms(workflow)
    (pair,), videos = inputs(workflow, "ReelpatchPairedGeneration"), inputs(workflow, "CreateVideo")
    linked = {name: pair[name] for name in ("width", "height", "frames")}
    rates = {tuple(one["fps"]) for one in videos}
    assert len(rates) == 1
    slots = {"width": 5, "height": 6, "frames": 7}
    for name, (node, slot) in linked.items():
        assert (api[node]["class_type"], slot) == ("ReelpatchRecipe", slots[name])
    assert (pair["onset"], pair["early"], pair["middle"], pair["noise"]) == (0, 0.0, 0.0, "same")
    captions = [one["instruction"] for one in inputs(workflow, "ReelpatchResultName")]
    texts = [one["text"] for one in inputs(workflow, "CLIPTextEncode")]
    assert captions == texts[:2]
    assert len(inputs(workflow, "SaveVideo")) == 2
    told = f"Two clips of {recipe.frames} frames, {recipe.width}x{recipe.height}, at {recipe.fps:g} frames per second"
    assert told in note_of(workflow)
    asked = forms(workflow)[0]["extra"]["linearData"]["inputs"]
    assert {widget for _, widget, _ in asked} == {"source", "target", "change", "onset", "recipe", "seed"}
