"""What notes say of video files."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

from reelpatch.recipes import RECIPES
from tests.design.workflow_forms import note_of
from workflows.templates import Workflow


class Facts(NamedTuple):
    """What a note says of a video file; the sound in seconds, to a tenth, 0 where there is none."""

    frames: int
    rate: Fraction
    size: tuple[int, int]
    sound_s: float


def compared(history: dict[str, Any]) -> list[tuple[int, Fraction, tuple[int, int]]]:
    """Number of frames, rate and size of what Compare shows, as history has it of a run."""
    told = [film for output in history["outputs"].values() for film in output.get("reelpatch_compare", [])]
    return [(one["frames"], Fraction(one["fps"]), tuple(one["source"])) for one in told]


def recorded(path: Path) -> dict[str, Any]:
    """What the record beside a film says; of a graph whose nodes it names, what was asked, and its measures."""
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["reelpatch"]
    assert record["finished"]
    assert any(node["class"].startswith("ReelpatchLoad") for node in record["nodes"].values())
    return record


def saved(history: dict[str, Any], prompt: dict[str, Any], output: Path) -> dict[str, list[Path]]:
    """The files that a run wrote into a server's folder of results, by the titles of the nodes that did."""
    return {
        prompt[key]["_meta"]["title"]: [output / one["subfolder"] / one["filename"] for one in made["images"]]
        for key, made in history["outputs"].items()
        if "images" in made
    }


def prompt_in(path: Path) -> dict[str, Any]:
    """The graph that a film carries."""
    with av.open(str(path)) as container:
        return json.loads(container.metadata["prompt"])


def facts(path: Path) -> Facts:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        rate, size = stream.average_rate, (stream.width, stream.height)
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return Facts(frames, Fraction(rate or 0), size, 0.0)
        samples = sum(frame.samples for frame in container.decode(audio=0))
        return Facts(frames, Fraction(rate or 0), size, round(samples / container.streams.audio[0].rate, 1))


def check_note(workflow: Workflow, made: Facts, source: Path) -> None:
    """What a template's note says comes out of it did; `source` is the clip that it was run on, by the demo's recipe.

    One that sees no clip was run smaller, by its own recipe.
    """
    note, record = note_of(workflow), RECIPES[workflow.recipe]
    if not record.sees_clip:
        told = f"{record.frames} frames, {record.width}x{record.height}, at {record.fps:g} frames per second"
        assert f"A video of {told}, without sound" in note
        assert (made.rate, made.sound_s) == (record.fps, 0.0)
    elif "Every frame of the video, at its own size and rate, with its sound" in note:
        assert made == facts(source)
    elif workflow.prepare:
        assert "At most" in note
        demo = RECIPES["demo"]
        assert made.frames <= demo.frames
        assert made.size[0] * made.size[1] <= demo.width * demo.height
    else:
        assert re.search(r"From frame \d+ on, \d+ frames at", note)  # run by test_what_a_note_says_comes_out
