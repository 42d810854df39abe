"""A batch on a real Ray cluster of two nodes: bit-equal, whole when an actor is killed and a node is lost, results in stores."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelpatch.headless.commands.main import BAD_INPUT, DONE
from reelpatch.headless.runs.workers import ray_workers
from reelpatch.headless.runs.workers.results import RemoteResults, is_stored, store
from tests.unit.headless.runs.batch_jobs import batch, frames, report, states, twelve_jobs, write_batch

Captured = pytest.CaptureFixture[str]
ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "reelpatch[cluster]"')


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each, on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = _started()
    yield made
    ray.shutdown()
    made.shutdown()


def _started() -> Any:
    """Ray gives its own processes 30 s to begin, for which a machine may be too busy at first."""
    from ray.cluster_utils import Cluster

    said = ""
    for _ in range(3):
        made = Cluster()
        try:
            made.add_node(num_cpus=1, object_store_memory=2**27)
            made.lost = made.add_node(num_cpus=1, object_store_memory=2**27)
        except Exception as error:
            said = str(error)
            made.shutdown()
        else:
            return made
    return pytest.skip(f"Ray starts no cluster on this machine: {said}")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here as in the actors, to which Ray gives as many threads as they have cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def by_one(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results that this process has made."""
    import torch

    torch.set_num_threads(1)
    path = write_batch(tmp_path_factory.mktemp("one"), [*six_jobs(), LONG], models_folder)
    assert batch(path) == DONE
    return path.parent


def six_jobs() -> list[dict[str, Any]]:
    """Of two recipes."""
    return [job for job in twelve_jobs() if job["verb"] != "task"][:6]


# Of two windows, one of which may be made by the actor that has no job left.
LONG = {"verb": "enhance", "clip": "b.mp4", "window-frames": 5, "overlap": 1, "output": "long.mkv"}


def check_equal(by_one: Path, folder: Path, jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        assert np.array_equal(frames(by_one / job["output"]), frames(folder / job["output"])), job


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_an_actor_that_is_killed_and_a_node_that_is_lost_leave_every_job_done_once(
    cluster: Any, models_folder: Path, by_one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_batch(tmp_path, [*six_jobs(), LONG], models_folder)
    begun: list[str] = []
    begin = ray_workers.RayWorkers.begin

    def losing(self: Any, worker: str, job: Any) -> None:
        begin(self, worker, job)
        begun.append(worker)
        if len(begun) == 2:
            threading.Thread(target=_kill, args=(self._actors[worker].handle,)).start()
        if len(begun) == 4:
            cluster.remove_node(cluster.lost, allow_graceful=False)

    def _kill(handle: Any) -> None:
        with contextlib.suppress(Exception):
            _, process = ray.get(handle.hello.remote())
            time.sleep(0.5)
            os.kill(process, signal.SIGKILL)

    monkeypatch.setattr(ray_workers.RayWorkers, "begin", losing)
    assert batch(path, "--ray", cluster.address) == DONE
    made = report(path)["jobs"]
    assert [job["state"] for job in made] == ["done"] * 7
    reasons = [one["reason"] for job in made for one in job["tries"]]
    # Whether the loss met an actor at work or between two jobs is chance.
    assert all("actor" in one or "node" in one for one in reasons), reasons
    check_equal(by_one, tmp_path, [*six_jobs(), LONG])
    assert not [
        one for one in tmp_path.iterdir() if one.name.endswith((".windows", ".ahead")) or ".part" in one.name
    ]


def test_results_go_into_a_store_and_are_what_one_process_makes(
    cluster: Any, models_folder: Path, by_one: Path, tmp_path: Path
) -> None:
    (tmp_path / "jobs").mkdir()
    path = write_batch(tmp_path / "jobs", six_jobs(), models_folder)
    results = f"file://{tmp_path}/store"
    options = ("--ray", cluster.address, "--results", results)
    assert batch(path, *options) == DONE
    made = report(path)["jobs"]
    # One alone may have made all of them, before the other had begun.
    assert {job["worker"] for job in made} <= {"ray#0", "ray#1"}
    assert [job["outputs"][0][0] for job in made] == [f"{results}/{Path(job['output']).name}" for job in made]
    check_equal(by_one, tmp_path / "store", six_jobs())
    assert not list((tmp_path / "store").glob("*.part"))
    assert not any((path.parent / job["output"]).exists() for job in six_jobs())
    assert batch(path, *options) == DONE
    assert states(path) == ["done before"] * 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ray", "127.0.0.1:9"), "no Ray cluster answers at 127.0.0.1:9"),
        (("--ray", "nowhere"), "is no address of a Ray cluster"),
        (("--results", "s3://x"), "--results is for actors of Ray: give --ray too"),
        (("--ray", "local", "--devices", "cpu"), "--devices and --ray both say who makes the jobs"),
        (("--ray", "local", "--results", "warp://x"), "results cannot go to warp://x"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(
    options: tuple[str, ...], said: str, models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = write_batch(tmp_path, six_jobs()[:1], models_folder)
    assert batch(path, *options) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_store_gets_files_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    source = tmp_path / "a.mkv"
    source.write_bytes(b"0123456789")
    memory = fsspec.filesystem("memory")
    for address in ("memory://batch/one/a.mkv", f"file://{tmp_path}/made/a.mkv"):
        store(source, address)
        with fsspec.open(address, "rb") as file:
            assert file.read() == b"0123456789"
        assert is_stored([address, 10, ""])
        assert not is_stored([address, 11, ""])
        assert not is_stored([f"{address}.gone", 10, ""])
    assert memory.ls("/batch/one", detail=False) == ["/batch/one/a.mkv"]

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(memory), "mv", full)
    with pytest.raises(ValueError, match=r"memory://batch/two/a\.mkv cannot be written \(.*No space left"):
        store(source, "memory://batch/two/a.mkv")
    assert memory.ls("/batch/two", detail=False) == []
    assert RemoteResults("memory://batch/", tmp_path).address == "memory://batch"
