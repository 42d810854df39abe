"""A round in which something is taken away counts where every job is done once and right, and not otherwise."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import rounds
from benchmarks.demo_jobs import job_file
from benchmarks.results import Disagree
from benchmarks.worker_processes import workers_of
from reelpatch.headless.commands.main import DONE, main
from tests.forked import Running, serve_forks

JOBS = 2


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The results of this process, by one thread as in the round."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("alone")
    assert main(["batch", str(job_file(folder, JOBS))]) == DONE
    yield folder
    torch.set_num_threads(before)


def started(path: Path, threads: int, *options: str) -> Running:
    """As the round starts a batch, in a process that has everything imported."""

    def call() -> int:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        torch.set_num_threads(threads)
        serve_forks()
        return main(["batch", str(path), *options])

    return Running(call, log=path.parent / "log")


def one_worker(_chance: random.Random) -> Generator[tuple[tuple[str, ...], Callable[[Any], None]]]:
    """One process of this machine, which is killed."""

    def kill(batch: Running) -> None:
        (child,) = workers_of(batch.pid)
        child.send_signal(signal.SIGKILL)

    yield ("--devices", "cpu"), kill


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_round_with_a_killed_worker(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rounds.WAYS, "workers", (one_worker, ".mkv"))
    monkeypatch.setattr(rounds, "started", started)
    found = rounds.one_round(tmp_path, alone, "workers", JOBS, 0, within_s=0)  # while the first job loads
    assert len(found["tries"]) == 1
    assert "SIGKILL" in found["tries"][0]
    assert found["is_taken"]
    assert found["differs_by"] == 0
    assert "| one of two workers | 1 | 1 | 1 | 0 |" in rounds.loss_lines([found])


def written(folder: Path, *, lines: tuple[int, ...] = (1, 2), half: str = "", other: bool = False) -> None:
    """What a batch leaves, with something wrong about it."""
    (folder / "jobs_report").mkdir()
    jobs = [{"line": line, "state": "done", "tries": []} for line in lines]
    report = {"counts": {"done": len(lines)}, "jobs": jobs}
    (folder / "jobs_report" / "report.json").write_text(json.dumps(report))
    if half:
        (folder / half).touch()
    if other:
        (folder / "1.mkv").unlink()
        (folder / "1.mkv").write_bytes((folder / "0.mkv").read_bytes())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, ""),
        ({"lines": (1,)}, "half files"),
        ({"lines": (1, 1)}, "half files"),
        ({"half": ".1.7.part.mkv"}, r"half files \['\.1\.7\.part\.mkv'\]"),
        ({"half": "1.mkv.windows"}, "windows"),
        ({"other": True}, "results differ by"),
    ],
)
def test_what_is_lost_or_done_twice_or_otherwise_is_told(
    wrong: dict[str, Any], said: str, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(path: Path, _threads: int, *_options: str) -> "subprocess.Popen[bytes]":
        for number in range(JOBS):
            os.link(alone / f"{number}.mkv", path.parent / f"{number}.mkv")
        written(path.parent, **wrong)
        (path.parent / "log").touch()
        return subprocess.Popen([sys.executable, "-S", "-c", ""])

    monkeypatch.setattr(rounds, "started", started)
    monkeypatch.setattr(rounds, "job_file", lambda folder, _number, _ending: folder / "jobs.jsonl")
    monkeypatch.setitem(rounds.WAYS, "workers", (one_worker, ".mkv"))
    if not said:
        assert rounds.one_round(tmp_path, alone, "workers", JOBS, 0)["tries"] == []
        return
    with pytest.raises(Disagree, match=said):
        rounds.one_round(tmp_path, alone, "workers", JOBS, 0)
