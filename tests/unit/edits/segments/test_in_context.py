"""The in-context methods through the editor: what they read of a sentence, and of the clip."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.frames import plan_fit
from reelpatch.edits.registry import EDIT_KINDS
from reelpatch.edits.segments.edit import SegmentsEdit
from reelpatch.edits.segments.layout import TARGET_AREA, object_of
from reelpatch.edits.segments.work import SegmentsWork
from reelpatch.edits.vace.edit import VaceEdit
from reelpatch.edits.work import EditSettings, Material
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.request import EditRequest
from reelpatch.headless.runs.settings import chosen_settings
from reelpatch.plan.job import Job
from reelpatch.recipes import Recipe, recipe
from tests.conftest import moving_square

CLIP = to_floats(moving_square())
PLAN = plan_fit(9, 32, 32, lattice=WAN.lattice)


def tiny(name: str, **changes: object) -> Recipe:
    """A method on the demo's files, in two steps."""
    files = tuple(file for file in recipe("demo").files if file.role not in ("module", "lora"))
    return replace(recipe(name), files=files, steps=2, **changes)  # type: ignore[arg-type]


def averaged(video: Tensor) -> Tensor:
    """Stands for a VAE where only places and shapes matter: the mean of each cell, 16 times."""
    picked = video[:, ::4]
    small = torch.nn.functional.avg_pool3d(picked, (1, 8, 8))
    return small.repeat(6, 1, 1, 1)[:16]


@pytest.mark.parametrize(
    ("instruction", "found"),
    [
        ("Remove the lamp.", "the lamp"),
        ("Replace the dog with a fox.", "the dog"),
        ("Make the car red", "the car"),
        ("swap his hat for a crown", "his hat"),
        ("Get rid of the people", "the people"),
        ("remove lamp", "lamp"),
        ("Add a hat to the man.", None),
        ("make it sepia", None),
        ("the house catches fire after two seconds", None),
        ("把天空变成红色", None),
    ],
)
def test_the_object_is_taken_from_the_sentence(instruction: str, found: str | None) -> None:
    assert object_of(instruction) == found
    layout = recipe("videocof").segments
    assert layout is not None
    assert f"then grounded {found or TARGET_AREA}, and" in layout.prompt_for(instruction)
    assert (found or TARGET_AREA) in layout.told_of(instruction)
    bernini = recipe("bernini-r-1.3b")
    task = "You are a helpful assistant specialized in video editing"
    assert bernini.prompt_for(f" {instruction}\n") == f"{task}.{instruction}"
    assert bernini.prompt_for(instruction, references=2) == f"{task} with reference.{instruction}"


def test_videocof_lays_out_source_grounding_and_target() -> None:
    settings = EditSettings(method=recipe("videocof").segments)
    prepared = SegmentsWork().prepare(Material(CLIP, PLAN), settings, averaged)
    assert (prepared.shape, prepared.references) == ((16, 1 + 3, 4, 4), 1)
    (source,) = prepared.seen
    assert (source.times, source.is_numbered, source.is_before) == ((1, 2, 3), False, True)
    made = torch.arange(4.0).view(1, 4, 1, 1)
    assert SegmentsWork().finish(made, prepared).flatten().tolist() == [1, 2, 3]


def test_bernini_numbers_its_streams() -> None:
    settings = EditSettings(method=recipe("bernini-r-1.3b").segments)
    stills = (torch.rand(20, 40, 3), torch.rand(1000, 1700, 4))
    prepared = SegmentsWork().prepare(Material(CLIP, PLAN, references=stills), settings, averaged)
    assert (prepared.shape, prepared.references) == ((16, 3, 4, 4), 0)
    assert all(one.is_numbered for one in prepared.seen)
    assert [one.is_reference for one in prepared.seen] == [False, True, True]
    assert [tuple(one.latents.shape[1:]) for one in prepared.seen] == [(3, 4, 4), (1, 2, 6), (1, 62, 106)]


def test_references_are_refused_where_there_are_none() -> None:
    material = Material(CLIP, PLAN, references=(torch.rand(8, 8, 3),))
    with pytest.raises(BadInput, match="1 references were given, but this method takes none"):
        SegmentsWork().prepare(material, EditSettings(method=recipe("videocof").segments), averaged)


def test_more_references_than_a_method_looks_at_are_refused(models_folder: Path) -> None:
    """Before anything is loaded."""
    stills = [torch.rand(8, 8, 3)] * 17
    for name, words in (
        ("bernini-r-1.3b", "17 references .* looks at 16 at most"),
        ("videocof", "takes none"),
    ):
        with pytest.raises(BadInput, match=words):
            Editor(tiny(name), models_folder).render(CLIP, "remove the square", references=stills)


@pytest.mark.parametrize("name", ["videocof", "videocof-fast", "bernini-r-1.3b", "bernini-r"])
def test_an_edit_sees_its_source(name: str, models_folder: Path) -> None:
    editor = Editor(tiny(name), models_folder)
    edited = editor.render(CLIP, "remove the square")
    assert edited.shape == CLIP.shape
    assert torch.equal(edited, editor.render(CLIP, "remove the square"))
    assert not torch.equal(edited, editor.render(CLIP.flip(2), "remove the square"))
    blind = Editor(tiny(name, strength=0.0), models_folder)
    assert torch.equal(blind.render(CLIP, "x"), blind.render(CLIP.flip(2), "x"))


def test_a_plan_counts_their_tokens() -> None:
    """19 latent frames of 30 x 52: nine of the source, one that grounds, nine that are made."""
    assert Job(recipe("videocof"), 33, (480, 832)).tokens == 29_640
    bernini = recipe("bernini-r-1.3b")
    assert Job(bernini, 81, (480, 832)).tokens == 2 * 21 * 30 * 52
    assert Job(bernini, 81, (480, 832), references=2).tokens == (2 * 21 + 2) * 30 * 52


@pytest.mark.parametrize("strength", [0.5, 1.5])
def test_a_strength_that_would_do_nothing_is_refused(strength: float) -> None:
    request = EditRequest(Path("x.mp4"), "remove the lamp", recipe="videocof", strength=strength)
    with pytest.raises(
        BadInput, match=f"the strength is {strength:g}, but the recipe 'videocof' sees its source"
    ):
        chosen_settings(request)
    assert chosen_settings(replace(request, strength=0.0)).strength == 0


@pytest.mark.parametrize(
    ("kind", "edit"), [("segments", SegmentsEdit([])), ("vace", VaceEdit)], ids=["segments", "vace"]
)
def test_a_kind_says_what_its_edits_need(kind: str, edit: object) -> None:
    needs = edit.needs if isinstance(edit, SegmentsEdit) else VaceEdit.__dataclass_fields__["needs"].default
    assert needs == EDIT_KINDS.find(kind).needs
