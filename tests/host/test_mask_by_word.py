"""A mask by a word in a real ComfyUI, whose own nodes run SAM3: from the word to the edit.

Minutes a frame on a CPU, and the weights are not here: it runs where `$SAM3_CHECKPOINT` names a file of SAM 3.1, the published
one or one that `inside/sam3_weights.py` writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reelpatch.media.video_io import read_video
from reelpatch.media.video_write import write_video
from tests.host.inside.sam3_weights import FOUND, NOT_FOUND
from tests.host.server import Server, running
from tests.host.test_server import told
from tests.host.tiny_prompt import FILES
from workflows.beside_nodes import SAM3, MaskByWord
from workflows.describe import paths
from workflows.templates import WORKFLOWS

pytestmark = pytest.mark.host
CHECKPOINT = os.environ.get("SAM3_CHECKPOINT", "")
FRAMES = 3
DEMO_CLIP = Path(__file__).parents[2] / "workflows" / "reelpatch_demo_clip.mp4"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the weights that come with Reelpatch, the checkpoint, and the first frames of the demo's clip."""
    if not Path(CHECKPOINT).is_file():
        pytest.skip(
            "no weights of SAM3: set SAM3_CHECKPOINT to sam3.1_multiplex_fp16.safetensors, "
            "or to what tests/host/inside/sam3_weights.py writes"
        )
    models = tmp_path_factory.mktemp("sam3_models")
    (models / "checkpoints").mkdir()
    (models / "checkpoints" / SAM3).symlink_to(Path(CHECKPOINT).resolve())
    base = tmp_path_factory.mktemp("sam3")
    with running(base, models) as started:
        clip = read_video(DEMO_CLIP, folder_fps=Fraction(8))
        write_video(replace(clip.cut(FRAMES), frames=clip.frames[:FRAMES]), base / "input" / "short.mp4")
        yield started


def ran(server: Server, word: str) -> dict[str, Any]:
    """What history says of the template, by the demo's recipe, with another word."""
    (workflow,) = (one for one in WORKFLOWS if isinstance(one.beside, MaskByWord))
    prompt = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    for node in prompt.values():
        given = node["inputs"]
        given |= {"recipe": "demo"} if "recipe" in given else {}
        given |= {name: "recipe" for name in FILES if isinstance(given.get(name), str)}
        given |= {"file": "short.mp4"} if node["class_type"] == "LoadVideo" else {}
        if isinstance(given.get("text"), str) and given["text"]:
            given["text"] = word if node["_meta"]["title"] == "What it is" else "make it sepia"
    return {**server.run(prompt), "titles": {key: node["_meta"]["title"] for key, node in prompt.items()}}


def pictures(server: Server, history: dict[str, Any], title: str) -> list[Path]:
    """The files that the node with this title made."""
    files = [
        one
        for key, output in history["outputs"].items()
        if history["titles"][key] == title
        for one in output.get("images", [])
    ]
    return [server.base / one["type"] / one["subfolder"] / one["filename"] for one in files]


def test_what_a_word_finds_is_edited_and_nothing_else(server: Server) -> None:
    history = ran(server, FOUND)
    assert history["status"]["status_str"] == "success", told(history)
    masks = np.stack(
        [np.asarray(Image.open(path).convert("L")) for path in pictures(server, history, "What is edited")]
    )
    assert masks.shape == (FRAMES, 64, 64)
    assert masks.max() > 0
    (path,) = pictures(server, history, "Result")
    made = read_video(path, folder_fps=Fraction(8))
    source = read_video(server.base / "input" / "short.mp4", folder_fps=Fraction(8))
    assert (made.frames.shape, made.fps) == (source.frames.shape, source.fps)
    apart = np.abs(made.frames.astype(int) - source.frames).mean(-1)
    outside = apart[masks == 0]
    assert (
        not outside.size or apart[masks > 0].mean() > 4 * outside.mean()
    )  # random weights may find all of it
    assert apart[masks > 0].mean() > 5  # of 255


def test_a_word_that_finds_nothing_is_told(server: Server) -> None:
    history = ran(server, NOT_FOUND)
    assert history["status"]["status_str"] == "error"
    assert "the mask is 0 everywhere, so nothing would be edited" in told(history)
