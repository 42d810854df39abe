"""Templates of two captions through a real server, by the demo's own weights: what is asked for is to be seen."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from reelpatch.media.pictures import read_picture
from reelpatch.media.video_io import read_video
from tests.design.workflow_forms import note_of
from tests.host.film_facts import Facts, compared, facts, prompt_in, recorded, saved
from tests.host.server import Server
from tests.host.tiny_prompt import tiny_pair
from workflows.pair_subgraph import ON_SHAPES
from workflows.templates import WORKFLOWS, Workflow

pytestmark = pytest.mark.host
RED, BLUE = 0, 2  # channels
PAIRS = [workflow for workflow in WORKFLOWS if workflow.is_pair]


def is_shown(colour: int, picture: NDArray[np.int_]) -> bool:
    """Whether somewhere red, or blue, is far above the other; the night sky's blue is dark."""
    return bool((picture[..., colour] - picture[..., BLUE - colour]).max() > 128)


@pytest.mark.parametrize("workflow", PAIRS, ids=lambda workflow: workflow.name)
def test_a_shipped_workflow_makes_a_pair(installed: Server, workflow: Workflow) -> None:
    """By the demo's recipe: both clips, as its note says, each saved under its caption; the second one's from frame 5 on."""
    onset = 0 if workflow.recipe.startswith("demo") else 5
    prompt = tiny_pair(workflow, onset)
    history = installed.run(prompt)
    assert history["status"]["status_str"] == "success", history["status"]
    made = saved(history, prompt, installed.base / "output")
    (source,), (target,) = made["Source"], made["Result"]
    assert source.name.startswith("red_circle_in_front_of_a_night_sky")
    assert target.name.startswith("blue_circle_in_front_of_a_night_sky")
    assert facts(source) == facts(target) == Facts(9, Fraction(8), (64, 64), 0.0)
    assert prompt_in(source) == prompt_in(target) == prompt
    if onset == 0:
        assert "Two clips of 9 frames, 64x64, at 8 frames per second, without sound" in note_of(workflow)
    before, after = (
        np.stack([read_picture(path).pixels for path in made[f"The {one} as a video"]]).astype(int)
        for one in ("source", "target")
    )
    assert np.array_equal(before[:onset], after[:onset])
    assert is_shown(RED, before[-1])
    assert not is_shown(BLUE, before[-1])
    assert is_shown(BLUE, after[-1])
    assert not is_shown(RED, after[-1])


def test_a_clip_is_edited_by_two_captions(installed: Server) -> None:
    """By the demo's recipe: the clip's frames, size and rate, under the second caption."""
    (workflow,) = (one for one in WORKFLOWS if one.by_captions)
    prompt = tiny_pair(workflow)
    history = installed.run(prompt)
    assert history["status"]["status_str"] == "success", history["status"]
    ((made,),) = saved(history, prompt, installed.base / "output").values()
    source = installed.base / "input" / "reelpatch_demo_clip.mp4"
    assert facts(made) == facts(source)
    assert compared(history) == [facts(made)[:3]]
    assert set(recorded(made)["text"]) == {ON_SHAPES.source, ON_SHAPES.target}
    before, after = (read_video(path, folder_fps=Fraction(1)).frames.astype(int) for path in (source, made))
    assert not is_shown(BLUE, before[-1])
    assert is_shown(BLUE, after[-1])
