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


def test_a_clip_is_edited_by_captions_at_the_length_of_its_recipe() -> None:
    """The clip is Paired generation's source, and what Finish clip gives back at its own size; the note says how good it is."""
    (workflow,) = (one for one in WORKFLOWS if one.by_captions)
    recipe, (_, api) = RECIPES[workflow.recipe], forms(workflow)
    (pair,), (clip,), (finish,) = (
        inputs(workflow, kind)
        for kind in ("ReelpatchPairedGeneration", "ReelpatchClip", "ReelpatchFinishClip")
    )
    assert pair["clip"] == finish["clip"]
    assert api[pair["clip"][0]]["class_type"] == "ReelpatchClip"
    assert api[finish["samples"][0]]["class_type"] == "ReelpatchFinishPair"
    assert finish["samples"][1] == 2  # the target's latent
    for name, slot in {"width": 5, "height": 6, "frames": 7, "fps": 8}.items():
        assert (api[clip[name][0]]["class_type"], clip[name][1]) == ("ReelpatchRecipe", slot)
    texts = [one["text"] for one in inputs(workflow, "CLIPTextEncode")]
    (called,) = inputs(workflow, "ReelpatchResultName")
    assert called["instruction"] == texts[1]
    note = note_of(workflow)
    assert (
        f"From frame 0 on, {recipe.frames} frames at {recipe.fps:g} frames per second, as the recipe" in note
    )
    assert "Nothing was trained for it" in note
    asked = forms(workflow)[0]["extra"]["linearData"]["inputs"]
    assert {widget for _, widget, _ in asked} == {
        *("file", "source", "target"),
        *("change", "recipe", "first_frame"),
    }
