"""The film of what will be changed: VideoCoF's grounding segment, decoded apart, of the first window."""

import json
import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.clips.frames import as_clip
from reelpatch.edits.segments.work import SegmentsWork
from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.edit import edit_owned
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square
from tests.unit.edits.segments.test_in_context import tiny


@pytest.fixture
def request_(tmp_path: Path) -> EditRequest:
    clip = tmp_path / "clip.mkv"
    write_video(Video(moving_square(17), Fraction(10)), clip)
    film, output = tmp_path / "film.mkv", tmp_path / "out.mkv"
    return EditRequest(
        clip,
        "Remove the square.",
        recipe="videocof",
        grounding_film=film,
        output=output,
        window_frames=9,
        steps=4,
    )


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """All that was sampled, window by window, with what stands in front of the clip."""
    found: list[torch.Tensor] = []
    finish = SegmentsWork.finish

    def kept(self: SegmentsWork, latents: torch.Tensor, prepared: Any) -> torch.Tensor:
        found.append(latents.clone())
        return finish(self, latents, prepared)

    monkeypatch.setattr(SegmentsWork, "finish", kept)
    return found


def frames(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames


def test_it_is_the_first_segment_of_the_first_window_decoded_alone(
    request_: EditRequest, sampled: list[torch.Tensor], models_folder: Path
) -> None:
    assert request_.grounding_film is not None
    editor = Editor(tiny("videocof"), models_folder)
    result = edit_owned(request_, models=editor)
    assert result.as_dict()["grounding_film"] == str(request_.grounding_film)
    first, *others = sampled
    assert others
    assert first.shape[1] == 1 + 3
    written = frames(request_.grounding_film)
    assert written.shape == (1, 32, 32, 3)
    assert np.array_equal(written, to_bytes(as_clip(editor.vae.decode(first[:, :1]))))
    assert not np.array_equal(written, to_bytes(as_clip(editor.vae.decode(others[0][:, :1]))))
    assert read_video(request_.grounding_film, folder_fps=Fraction(1)).fps == 10
    made = frames(request_.target)
    request_.target.unlink()
    plain = edit_owned(replace(request_, grounding_film=None), models=editor)
    assert np.array_equal(made, frames(request_.target)), "the film changes nothing of the result"
    assert "grounding_film" not in plain.as_dict()


def test_a_window_that_was_finished_before_has_no_film(
    request_: EditRequest,
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    editor = Editor(tiny("videocof"), models_folder)
    render, calls = Editor.render, []

    def stopped(self: Editor, *args: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return render(self, *args, **options)

    monkeypatch.setattr(Editor, "render", stopped)
    with pytest.raises(KeyboardInterrupt):
        edit_owned(replace(request_, grounding_film=None), models=editor)
    with caplog.at_level(logging.WARNING):
        result = edit_owned(request_, models=editor)
    assert result.grounding_film is None
    assert request_.grounding_film is not None
    assert not request_.grounding_film.exists()
    assert "the first window was finished by an earlier run" in caplog.text


def test_it_and_the_result_are_two_files(request_: EditRequest, models_folder: Path) -> None:
    same = replace(request_, grounding_film=request_.target)
    with pytest.raises(BadInput, match="would both be written to"):
        edit_owned(same, models=Editor(tiny("videocof"), models_folder))
    inputs = {path for _, path in request_.inputs}
    assert request_.grounding_film not in inputs


REFUSALS = {
    "a method that has none": (("--recipe", "bernini-r-1.3b"), "'bernini-r-1.3b' makes no clip that shows what will be changed: use videocof"),
    "another method": (("--recipe", "ditto-global"), "'ditto-global' makes no clip that shows what will be changed"),
    "the clip itself": (("--recipe", "videocof", "--grounding-film", "clip.mkv"), "clip.mkv is the clip itself"),
    "a name of nothing": (("--recipe", "videocof", "--grounding-film", "film.gif"), "film.gif does not end in .mp4"),
}  # fmt: skip


@pytest.mark.usefixtures("request_")
@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_is_said_before_files_are_looked_for(
    case: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is not one weight file in the models folder, of which nothing is said."""
    monkeypatch.chdir(tmp_path)
    options, words = REFUSALS[case]
    (tmp_path / "models").mkdir()
    before = sorted(tmp_path.iterdir())
    named = ("edit", "clip.mkv", "Remove the square.", "--models", "models", "--grounding-film", "film.mkv")
    assert main([*named, *options, "--json"]) == BAD_INPUT
    assert words in json.loads(capsys.readouterr().out)["error"]
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_of_edits_has_no_film(
    request_: EditRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edits = tmp_path / "edits.json"
    edits.write_text('[{"instruction": "Remove the square."}]', encoding="utf-8")
    named = ("edit", request_.clip, "--edits", edits, "--grounding-film", tmp_path / "film.mkv", "--json")
    assert main(list(map(str, named))) == BAD_INPUT
    assert "is that of one edit" in json.loads(capsys.readouterr().out)["error"]


def test_a_film_that_cannot_be_written_costs_nothing_else(
    request_: EditRequest,
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: Any) -> None:
        raise BadInput("the disk is full.")

    monkeypatch.setattr("reelpatch.headless.runs.grounding_film.write_video", full)
    with caplog.at_level(logging.WARNING):
        result = edit_owned(request_, models=Editor(tiny("videocof"), models_folder))
    assert request_.target.exists()
    assert result.grounding_film is None
    assert "No film of what will be changed was written" in caplog.text
    assert "the disk is full." in caplog.text
