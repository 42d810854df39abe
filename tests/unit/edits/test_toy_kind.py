"""A kind of edit that lies in one folder of somebody else's, and one line that registers it: no other file knows it."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reelpatch.edits.registry import EDIT_KINDS
from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import DONE, main
from reelpatch.media.video_io import read_video
from reelpatch.recipes import RECIPES, recipe
from tests.toy_kind.kind import TOY

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind, and the demo's recipe with it in place of its edit module."""
    monkeypatch.setattr(EDIT_KINDS, "_places", dict(EDIT_KINDS._places))
    EDIT_KINDS.register("toy", "tests.toy_kind.kind", "TOY")
    demo = recipe("demo")
    files = tuple(file for file in demo.files if file.role not in ("module", "lora"))
    monkeypatch.setitem(RECIPES, "toy", replace(demo, name="toy", kind="toy", files=files))  # type: ignore[arg-type]


def run(capsys: Captured, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


def test_it_is_known_by_name() -> None:
    assert EDIT_KINDS.find("toy") is TOY
    with pytest.raises(
        BadInput,
        match="there is no kind of edit 'other': use one of vace, canvas, segments, adapter, channels, reasoning, enhance, sharing, toy",
    ):
        EDIT_KINDS.find("other")


def test_a_plan_counts_it(capsys: Captured, models_folder: Path) -> None:
    sizes = ("--size", "32x32", "--frames", 9, "--models", models_folder)
    ours, vace = (run(capsys, "plan", "--recipe", name, *sizes) for name in ("toy", "demo"))
    assert (ours["tokens"], ours["parameters"]["module"]) == (vace["tokens"], 0)
    assert 2 * ours["tflop"]["encode"] == pytest.approx(vace["tflop"]["encode"])


def test_an_edit_runs_it(capsys: Captured, models_folder: Path, clip_path: Path, tmp_path: Path) -> None:
    def edited(strength: float) -> np.ndarray:
        target = tmp_path / f"{strength}.mp4"
        words = ("edit", clip_path, "make it sepia", "--recipe", "toy", "--strength", strength)
        answer = run(capsys, *words, "--models", models_folder, "--output", target)
        assert (answer["frames"], answer["width"], answer["height"]) == (9, 32, 32)
        return read_video(target, folder_fps=Fraction(1)).frames

    off, half, full = (edited(strength) for strength in (0.0, 0.5, 1.0))
    assert not np.array_equal(off, half)
    assert not np.array_equal(half, full)


def test_its_recipe_is_shown(capsys: Captured) -> None:
    assert run(capsys, "recipes", "toy")["kind"] == "toy"
