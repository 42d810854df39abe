"""Jobs of a batch that make several things at once: pictures, and edits one after the other."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.runs.batch import planning
from reelpatch.plan.machine import Machine
from tests.conftest import moving_square
from tests.unit.headless.runs.batch_jobs import batch, frames, report, states, write_batch, write_jobs
from tests.unit.headless.runs.test_picture import write_models


def pixels(path: Path) -> list[int]:
    with Image.open(path) as picture:
        return np.asarray(picture).tolist()


def test_pictures_by_a_pattern_and_of_a_folder_are_what_they_are_alone(
    models_folder: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_models(models, models_folder)
    (tmp_path / "in").mkdir()
    for number in range(2):
        Image.fromarray(moving_square()[number]).save(tmp_path / "in" / f"{number}.png")
    small = {"verb": "picture", "instruction": "make it blue", "size": "32x32", "steps": 2}
    jobs = [
        small | {"image": "in/*.png", "output": "{clip}_blue.png"},
        small | {"image": "in", "seeds": 2, "output": "all"},
    ]
    path = write_jobs(tmp_path / "jobs.jsonl", jobs, models)
    assert batch(path) == DONE
    assert states(path) == ["done"] * 3
    options = ["--models", str(models), "--size", "32x32", "--steps", "2", "--output"]
    alone = ["picture", str(tmp_path / "in" / "1.png"), "make it blue", *options, str(tmp_path / "alone.png")]
    assert main(alone) == DONE
    assert pixels(tmp_path / "alone.png") == pixels(tmp_path / "1_blue.png")
    assert pixels(tmp_path / "alone.png") == pixels(tmp_path / "all" / "1_png_seed0_edited.png")
    assert batch(path) == DONE
    assert states(path) == ["done before"] * 3
    assert batch(path, "--dry-run") == DONE
    (tmp_path / "all" / "1_png_seed0_edited.png").unlink()
    assert batch(path, "--dry-run") != DONE  # the folder is not empty, as for the verb itself


def test_a_file_of_edits_is_one_job(models_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "edits.json").write_text(
        json.dumps([{"instruction": "make it sepia", "mask": "mask.png"}, {"instruction": "make it blue"}])
    )
    job = {"verb": "edit", "clip": "a.mp4", "edits": "edits.json", "steps": 1, "output": "x.mkv"}
    path = write_batch(tmp_path, [job], models_folder)
    assert batch(path) == DONE
    command = ["edit", str(tmp_path / "a.mp4"), "--edits", str(tmp_path / "edits.json"), "--steps", "1"]
    assert main([*command, "--models", str(models_folder), "--output", str(tmp_path / "y.mkv")]) == DONE
    assert np.array_equal(frames(tmp_path / "x.mkv"), frames(tmp_path / "y.mkv"))
    assert report(path)["jobs"][0]["work"]["windows"] == 2
    assert batch(path) == DONE
    assert states(path) == ["done before"]
    Image.open(tmp_path / "mask.png").rotate(180).save(tmp_path / "mask.png")
    assert batch(path) == DONE
    assert states(path) == ["done"]


@pytest.mark.parametrize("letter", ["\ud800", "\0", "\\", "%", "é" * 200, "{", "\n"])
def test_odd_names_are_wrong_or_right_and_stop_nothing(
    letter: str, models_folder: Path, tmp_path: Path
) -> None:
    odd = {"verb": "edit", "clip": f"{letter}.mp4", "instruction": "make it blue", "output": f"o{letter}.mp4"}
    jobs = [odd, odd | {"mask": f"{letter}*.png", letter: 1}, {"verb": "enhance", "clip": "a.mp4"}]
    path = write_batch(tmp_path, jobs, models_folder)
    batch(path)
    assert states(path) == ["not done", "not done", "done"]
    assert not any("unexpected" in (job["sentence"] or "") for job in report(path)["jobs"])


def test_a_card_whose_rates_are_known_has_minutes_for_all_windows(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = Machine("this machine", ram=64 * 2**30, vram=24 * 2**30, card="NVIDIA GeForce RTX 4090")
    monkeypatch.setattr(planning, "this_machine", lambda: card)
    edit = {"verb": "edit", "clip": "b.mp4", "instruction": "make it blue", "steps": 1, "window-frames": 5}
    jobs = [edit | {"overlap": 1, "output": "1.mp4"}, edit | {"frames": 5, "output": "2.mp4"}]
    path = write_batch(tmp_path, jobs, models_folder)
    assert batch(path, "--dry-run", "--json") == DONE
    long, short = (job["plan"] for job in json.loads(capsys.readouterr().out)["jobs"])
    assert long["memory"] == short["memory"] == "VRAM"
    assert long["memory_gib"] == short["memory_gib"]
    assert 0 < short["minutes"][0] <= short["minutes"][1]
    assert long["minutes"] == pytest.approx([2 * one for one in short["minutes"]])  # two windows
