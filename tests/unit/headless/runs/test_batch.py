"""A batch is its jobs, one by one: the same frames, each recipe loaded once, and taken up where it was stopped."""

import gc
import json
import os
import signal
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, STOPPED, main
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.runs.batch import run as batch_run
from tests.forked import forked
from tests.unit.headless.runs.batch_jobs import (
    alone,
    batch,
    frames,
    report,
    states,
    twelve_jobs,
    write_batch,
    write_jobs,
)

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Each load of a transformer that really takes place: the recipe's name, and how many were still held then."""
    found: list[tuple[str, int]] = []
    held: weakref.WeakSet[Any] = weakref.WeakSet()
    load = LoadedRecipe._load_transformer

    def counted(self: LoadedRecipe, *args: Any, **options: Any) -> Any:
        gc.collect()
        found.append((self.recipe.name, len(held)))
        models = load(self, *args, **options)
        held.add(models.backbone)
        return models

    monkeypatch.setattr(LoadedRecipe, "_load_transformer", counted)
    return found


def test_twelve_jobs_are_what_they_are_alone_with_one_load_of_each_recipe(
    models_folder: Path, tmp_path: Path, loads: list[tuple[str, int]]
) -> None:
    jobs = twelve_jobs()
    path = write_batch(tmp_path, jobs, models_folder)
    assert batch(path) == DONE
    assert loads == [("demo", 0), ("demo-enhance", 0)]  # the first is let go before the second
    assert states(path) == ["done"] * 12
    loads.clear()
    (tmp_path / "alone").mkdir()
    for job in jobs:
        output = tmp_path / "alone" / job["output"]
        assert main(alone(job, tmp_path, models_folder, output)) == DONE
        assert np.array_equal(frames(output), frames(tmp_path / job["output"])), job
    assert len(loads) == 12  # so that the hook counts


def test_what_is_done_is_left_alone_and_what_changed_is_made_again(
    models_folder: Path, tmp_path: Path, loads: list[tuple[str, int]]
) -> None:
    jobs = twelve_jobs()[:5]
    path = write_batch(tmp_path, jobs, models_folder)
    assert batch(path) == DONE
    loads.clear()
    written = [(tmp_path / job["output"]).stat().st_mtime_ns for job in jobs]
    assert batch(path) == DONE
    assert loads == []
    assert states(path) == ["done before"] * 5
    assert written == [(tmp_path / job["output"]).stat().st_mtime_ns for job in jobs]
    jobs[0]["seed"] = 77  # a line that changed
    (tmp_path / "1.mkv").write_bytes((tmp_path / "2.mkv").read_bytes())  # an output that is another
    (tmp_path / "2.mkv").unlink()  # one that is gone
    write_jobs(path, [jobs[3], *jobs[:3], jobs[4]], models_folder)  # lines may be moved
    assert batch(path) == DONE
    assert states(path) == ["done before", "done", "done", "done", "done before"]
    Image.open(tmp_path / "mask.png").rotate(180).save(tmp_path / "mask.png")  # its content alone
    assert batch(path) == DONE
    masked = [job.get("mask") is not None for job in (jobs[3], *jobs[:3], jobs[4])]
    assert states(path) == ["done" if one else "done before" for one in masked]


def test_ctrl_c_keeps_finished_jobs_and_finished_windows(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    windows = next(job for job in twelve_jobs() if "window-frames" in job)
    jobs = [twelve_jobs()[0], windows, windows | {"output": "last.mkv", "seed": 8}]
    path = write_batch(tmp_path, jobs, models_folder)
    told = batch_run._Progress.told

    def stopping(self: Any, stage: str, done: int, total: int) -> None:
        told(self, stage, done, total)
        if self._number == 2 and stage.startswith("window 2/"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_run._Progress, "told", stopping)
        assert batch(path) == STOPPED
    assert "1 of 3 jobs are done" in (heard := capsys.readouterr().err)
    assert "1 of 2 windows are finished" in heard or "1 of 3 windows are finished" in heard
    assert states(path) == ["done", "stopped", "waiting"]
    assert batch(path) == DONE
    assert "windows are finished already: going on from there" in capsys.readouterr().err
    assert states(path) == ["done before", "done", "done"]
    assert not list(tmp_path.glob("*.windows"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_that_is_killed_goes_on_with_every_job_done_once(models_folder: Path, tmp_path: Path) -> None:
    jobs = twelve_jobs()[:6]
    path = write_batch(tmp_path, jobs, models_folder)
    told = batch_run._Progress.told

    def killing(self: Any, stage: str, done: int, total: int) -> None:
        told(self, stage, done, total)
        if self._number == 4 and "denoising" in stage and done:
            os.kill(os.getpid(), signal.SIGKILL)

    def run() -> int:
        batch_run._Progress.told = killing
        return batch(path)

    (ended,) = forked([("killed", run)])
    assert ended.code == -signal.SIGKILL, ended.err
    killed = {job["output"]: job for job in report(path)["jobs"]}
    assert sorted(job["state"] for job in killed.values()) == ["done"] * 3 + ["waiting"] * 3
    for name, job in killed.items():
        assert Path(name).exists() == (job["state"] == "done")
    written = {name: Path(name).stat().st_mtime_ns for name, job in killed.items() if job["state"] == "done"}
    assert batch(path) == DONE
    again = {job["output"]: job["state"] for job in report(path)["jobs"]}
    assert again == {name: "done before" if name in written else "done" for name in killed}
    assert written == {name: Path(name).stat().st_mtime_ns for name in written}
    for job in jobs:
        assert len(frames(tmp_path / job["output"])) in (5, 9)


def test_a_job_that_goes_wrong_while_it_runs_stops_no_other(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job for job in twelve_jobs() if job["verb"] != "enhance"][:3]
    path = write_batch(tmp_path, jobs, models_folder)
    told = batch_run._Progress.told

    def failing(self: Any, stage: str, done: int, total: int) -> None:
        told(self, stage, done, total)
        if self._number == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(batch_run._Progress, "told", failing)
        assert batch(path) == BAD_INPUT
    assert states(path) == ["done", "not done", "done"]
    sentence = report(path)["jobs"][1]["sentence"]
    assert "No space left on device" in sentence
    assert batch(path) == DONE
    assert states(path) == ["done before", "done", "done before"]


def test_the_page_shows_each_job_and_needs_no_other_file(models_folder: Path, tmp_path: Path) -> None:
    jobs = [twelve_jobs()[0], {"verb": "edit", "clip": "a.mp4", "instruction": "<script>alert(1)</script>"}]
    path = write_batch(tmp_path, jobs, models_folder)
    assert batch(path) == DONE
    text = (tmp_path / "jobs_report" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count('src="data:image/jpeg;base64,') == 4
    assert text.count("src=") == 4
    assert "href" not in text
    assert json.loads((tmp_path / "jobs_report" / "report.json").read_text())["counts"]["done"] == 2


@pytest.mark.parametrize(
    ("name", "content"), [("report.html", "mine"), ("report.json", '{"a": 1}'), ("report.json", "[]")]
)
def test_files_of_others_are_not_replaced_by_a_report(
    name: str, content: str, models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = write_batch(tmp_path, twelve_jobs()[:1], models_folder)
    other = tmp_path / "mine" / name
    other.parent.mkdir()
    other.write_text(content)
    assert batch(path, "--report", str(other.parent), "--json") == BAD_INPUT
    assert f"{name} is no report of a batch" in json.loads(capsys.readouterr().out)["error"]
    assert other.read_text() == content
    assert [one.name for one in other.parent.iterdir()] == [name]
