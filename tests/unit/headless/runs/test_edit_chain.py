"""Several instructions for one clip: each on the result of the one before, with its own mask, and taken up again."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.runs import edit_chain
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
FPS = Fraction(30000, 1001)
TRACK = {"mask_track": 1, "units": "fractions", "times": "seconds"}


def box(x: float, start: str) -> dict:
    shape = {"kind": "box", "centre": [x, 0.5], "size": [0.5, 0.5]}
    return TRACK | {"regions": [{"shape": shape, "envelope": {"start": start}}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_video(Video(moving_square(5, 32, 32), FPS), tmp_path / "clip.mkv")
    (tmp_path / "left.json").write_text(json.dumps(box(0.25, str(2 / FPS))))
    (tmp_path / "right.json").write_text(json.dumps(box(0.75, str(3 / FPS))))
    edits = [
        {"instruction": "make it sepia", "mask": "left.json"},
        {"instruction": "make it blue", "mask": "right.json", "seed": 7},
    ]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    return tmp_path


def edit(folder: Path, models: Path, output: str, *more: object) -> int:
    arguments = [
        "edit",
        folder / "clip.mkv",
        *more,
        "--output",
        folder / output,
        "--models",
        models,
        "--steps",
        1,
        "--json",
    ]
    return main([str(one) for one in arguments])


def frames(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames


def test_it_is_the_edits_one_after_the_other(folder: Path, models_folder: Path, capsys: Captured) -> None:
    assert edit(folder, models_folder, "x.mkv", "--edits", folder / "edits.json") == DONE
    heard = capsys.readouterr()
    assert "2 edits are made one after the other" in heard.err
    assert json.loads(heard.out)["output"] == str(folder / "x.mkv")
    source, result = frames(folder / "clip.mkv"), frames(folder / "x.mkv")
    differs = (source != result).any(-1)
    assert not differs[:2].any()
    assert differs[2:, 8:24, :16].any()
    assert not differs[2, :, 16:].any()
    assert differs[3:, 8:24, 16:].any()
    assert not differs[:, :8].any()
    assert sorted(one.name for one in folder.iterdir()) == [
        "clip.mkv",
        "edits.json",
        "left.json",
        "right.json",
        "x.mkv",
    ]


def test_a_stopped_run_goes_on_after_the_last_finished_edit(
    folder: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    plain, made = edit_chain.edit_owned, []

    def stopped(request, *more):
        made.append(request.instruction)
        if len(made) == 2:
            raise KeyboardInterrupt
        return plain(request, *more)

    monkeypatch.setattr(edit_chain, "edit_owned", stopped)
    assert edit(folder, models_folder, "x.mkv", "--edits", folder / "edits.json") == 130
    assert "stopped. Edits that are finished are kept in" in capsys.readouterr().err
    assert not (folder / "x.mkv").exists()
    assert edit(folder, models_folder, "x.mkv", "--edits", folder / "edits.json") == DONE
    assert made == ["make it sepia", "make it blue", "make it blue"]
    assert "Edit 1 of 2 is finished already." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "is no list of 1 to 64 edits"),
        ("[]", "is no list of 1 to 64 edits"),
        ("[1]", "edit [0] of"),
        ('[{"mask": "left.json"}]', "has no instruction"),
        ('[{"instruction": " "}]', "the instruction is empty"),
        ('[{"instruction": "a", "colour": 1}]', "unknown field 'colour'"),
        ('[{"instruction": "a", "seed": "1"}]', "the seed of edit [0]"),
        ('[{"instruction": "a", "seed": -1}]', "the seed is -1"),
        ('[{"instruction": "a"}, {"instruction": "b", "mask": "none.json"}]', "cannot be read"),
        (
            '[{"instruction": "a"}, {"instruction": "b", "mask": "edits.json"}]',
            "where an object with named fields belongs",
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_list_of_edits_is_refused_before_the_first_one(
    folder: Path, models_folder: Path, capsys: Captured, text: str, sentence: str
) -> None:
    (folder / "edits.json").write_text(text)
    assert edit(folder, models_folder, "x.mkv", "--edits", folder / "edits.json") == BAD_INPUT
    assert sentence in json.loads(capsys.readouterr().out)["error"]
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("more", [("make it blue",), ("--mask", "left.json"), ("--when", "0-1")], ids=str)
def test_what_edits_have_of_their_own_is_not_given_beside_them(
    folder: Path, models_folder: Path, capsys: Captured, more: tuple[str, ...]
) -> None:
    assert edit(folder, models_folder, "x.mkv", *more, "--edits", folder / "edits.json") == BAD_INPUT
    assert "beside a file of edits" in capsys.readouterr().out


def test_without_an_instruction_it_says_what_is_missing(
    folder: Path, models_folder: Path, capsys: Captured
) -> None:
    assert edit(folder, models_folder, "x.mkv") == BAD_INPUT
    assert "no instruction was given" in capsys.readouterr().out
