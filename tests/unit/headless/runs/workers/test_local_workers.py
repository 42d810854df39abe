"""Two processes make a batch as one does: bit-equal, one load of each recipe and worker, and whole when workers are killed."""

import itertools
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from benchmarks.worker_processes import workers_of
from reelpatch.headless.commands.main import BAD_INPUT, DONE, STOPPED, main
from reelpatch.headless.runs.workers.local import LocalWorkers
from reelpatch.media.output_lock import lock_path
from tests.forked import Running, serve_forks
from tests.unit.headless.runs.batch_jobs import batch, frames, report, states, twelve_jobs, write_batch

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the workers, which take it from their environment, as in the runs that they are compared to."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def by_one(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results that one process has made."""
    path = write_batch(tmp_path_factory.mktemp("one"), twelve_jobs(), models_folder)
    process = started(path)
    assert (process.heard(), process.wait())[1] == DONE
    return path.parent


def started(path: Path, *options: str) -> Running:
    """`reelpatch batch` as a process of its own, in a session of its own, with one thread."""

    def call() -> int:
        os.setsid()
        torch.set_num_threads(1)
        serve_forks()
        return main(["batch", str(path), *options])

    return Running(call)


def leftovers(folder: Path) -> list[str]:
    """Half files, windows and locks."""
    return [
        one.name
        for one in folder.iterdir()
        if one.name.endswith((".part", ".windows", ".lock")) or ".part" in one.name
    ]


def test_two_workers_make_what_one_makes_and_load_each_recipe_once_at_most(
    models_folder: Path, by_one: Path, tmp_path: Path
) -> None:
    jobs = twelve_jobs()
    path = write_batch(tmp_path, jobs, models_folder)
    process = started(path, "--devices", "cpu,cpu")
    heard = process.heard()
    assert process.wait() == DONE, heard
    made = report(path)["jobs"]
    assert [job["state"] for job in made] == ["done"] * 12
    for job in jobs:
        assert np.array_equal(frames(by_one / job["output"]), frames(tmp_path / job["output"])), job
    # Each worker keeps to a recipe until no job of it waits: it changes over once at most.
    begun = [line.split() for line in heard.splitlines() if " begins line " in line]
    verbs = {job["line"]: job["verb"] for job in made}
    for worker in ("cpu#0", "cpu#1"):
        kinds = [verbs[int(words[3].rstrip(":"))] == "enhance" for words in begun if words[0] == worker]
        assert sum(a != b for a, b in itertools.pairwise(kinds)) <= 1, (worker, kinds)
    # One alone may have made all of them, before the other had begun.
    assert {job["worker"] for job in made} <= {"cpu#0", "cpu#1"}
    assert not leftovers(tmp_path)
    assert batch(path) == DONE  # what a worker made is known to one process
    assert states(path) == ["done before"] * 12


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_workers_that_are_killed_at_random_leave_every_job_done_once(
    models_folder: Path, by_one: Path, tmp_path: Path
) -> None:
    jobs = twelve_jobs()
    path = write_batch(tmp_path, jobs, models_folder)
    process = started(path, "--devices", "cpu,cpu")
    killed = _kill_some(process, 2, random.Random(3))
    heard = process.heard()
    assert process.wait() == DONE, heard
    assert killed  # twice, unless the jobs were done first
    assert [job["state"] for job in report(path)["jobs"]] == ["done"] * 12
    assert heard.count("its process was ended by SIGKILL") >= 1, heard
    for one in (one for job in report(path)["jobs"] for one in job["tries"]):
        assert "SIGKILL" in one["reason"]
    for job in jobs:
        assert np.array_equal(frames(by_one / job["output"]), frames(tmp_path / job["output"])), job
    assert not leftovers(tmp_path)


def _kill_some(process: Running, times: int, chance: random.Random) -> int:
    """Kills workers that have begun, at random times, as long as the batch runs. The number of those killed."""
    killed, old = 0, set[int]()
    while process.poll() is None and killed < times:
        time.sleep(0.02 + chance.random() / 5)  # often: a worker needs no second for all of its jobs
        grown = [one for one in workers_of(process.pid) if one.pid not in old and is_at_work(one)]
        if grown and process.poll() is None:
            one = chance.choice(grown)
            old.add(one.pid)
            one.send_signal(signal.SIGKILL)
            killed += 1
    return killed


def is_at_work(one: psutil.Process) -> bool:
    """Whether it has used some processor time; a process that has ended has not."""
    try:
        return one.cpu_times().user > 0.3
    except psutil.NoSuchProcess:
        return False


def test_a_worker_that_ends_with_each_try_of_a_job_is_not_given_it_for_ever(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three workers are lost on one job; the others are made."""
    jobs = twelve_jobs()[0], twelve_jobs()[3]
    path = write_batch(tmp_path, jobs, models_folder)
    begin = LocalWorkers.begin

    def killing(self: LocalWorkers, worker: str, job: Any) -> None:
        begin(self, worker, job)
        if job.line == 2:
            self._processes[worker].process.kill()

    monkeypatch.setattr(LocalWorkers, "begin", killing)
    assert batch(path, "--devices", "cpu,cpu") == BAD_INPUT
    first, second = report(path)["jobs"]
    assert (first["state"], second["state"]) == ("not done", "done")
    assert "tried 3 times" in first["sentence"]
    assert len(first["tries"]) == 3
    assert second["tries"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
@pytest.mark.parametrize("to_all", [True, False], ids=["as a terminal does", "the parent alone"])
def test_ctrl_c_keeps_what_is_finished(to_all: bool, models_folder: Path, tmp_path: Path) -> None:
    slow = [job | {"steps": 40} for job in twelve_jobs() if job["verb"] == "edit" and "mask" not in job]
    jobs = [twelve_jobs()[0], *(job | {"output": f"s{n}.mkv"} for n, job in enumerate(slow))]
    path = write_batch(tmp_path, jobs, models_folder)
    process = started(path, "--devices", "cpu,cpu")
    heard = b""
    for line in process.stderr:
        heard += line
        if b"is done by" in line:
            break
    # There is something to keep, once the report has it; and something to stop, once another job has taken its output.
    slow_ones = [lock_path(tmp_path / job["output"]) for job in jobs[1:]]
    while "done" not in states(path) or not any(one.exists() for one in slow_ones):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT) if to_all else process.send_signal(signal.SIGINT)
    heard += process.stderr.read()
    assert process.wait() == STOPPED, heard
    assert "of 5 jobs are done" in heard.decode()
    assert b"Traceback" not in heard, heard
    found = states(path)
    assert found.count("done") >= 1
    assert "stopped" in found
    assert set(found) <= {"done", "stopped", "waiting"}
    for job in report(path)["jobs"]:
        assert Path(job["output"]).exists() == (job["state"] == "done")
    assert [name for name in leftovers(tmp_path) if not name.endswith(".windows")] == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's list of processes")
def test_workers_end_with_their_parent(models_folder: Path, tmp_path: Path) -> None:
    jobs = [job | {"steps": 40} for job in twelve_jobs() if job["verb"] == "edit"]
    path = write_batch(tmp_path, jobs, models_folder)
    process = started(path, "--devices", "cpu,cpu")
    for line in process.stderr:
        if b"begins line" in line:
            break
    workers = workers_of(process.pid)
    assert workers
    process.kill()
    process.wait()
    process.stderr.close()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ("cpu,warp", "the device 'warp' cannot be used"),
        ("cpu,,cpu", "has an empty name in it"),
        ("cuda:99,cuda:98", "the device 'cuda:99' cannot be used"),
    ],
)
def test_devices_that_are_none_are_told_before_any_work(
    devices: str, said: str, models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = write_batch(tmp_path, twelve_jobs()[:1], models_folder)
    assert batch(path, "--devices", devices, "--json") == BAD_INPUT
    error = json.loads(capsys.readouterr().out)["error"]
    assert said in error
    assert "--device)" not in error


def test_a_job_with_a_device_of_its_own_is_told_so(models_folder: Path, tmp_path: Path) -> None:
    jobs = [twelve_jobs()[0] | {"device": "cpu"}, twelve_jobs()[3]]
    path = write_batch(tmp_path, jobs, models_folder)
    assert batch(path, "--devices", "cpu") == BAD_INPUT
    assert states(path) == ["not done", "done"]
    assert "it names the device cpu, but --devices" in report(path)["jobs"][0]["sentence"]
