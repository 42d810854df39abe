"""Windows of a long enhancement that a worker without a job makes ahead: the result is that of one process, and nothing is left."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reelpatch
from reelpatch.headless.commands import batch_workers
from reelpatch.headless.commands.main import DONE
from reelpatch.headless.commands.option_values import as_option
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.planning import RunPlanner
from reelpatch.headless.runs.batch.verbs import key_of
from reelpatch.headless.runs.workers.job_server import JobServer
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Lost
from reelpatch.sampling.noise import FrameNoise
from tests.unit.headless.runs.batch_jobs import batch, frames, states, write_batch

LONG = {
    "verb": "enhance",
    "clip": "b.mp4",
    "window-frames": 5,
    "overlap": 1,
    "steps": 2,
    "output": "long.mkv",
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class InTurn:
    """Two workers of this process; `first` says which of the jobs that they were given is made next."""

    group_of = staticmethod(key_of)
    names = ("one", "two")

    def __init__(self, first: Callable[[Job], Any], *, share_files: bool, loses: bool) -> None:
        self._first, self.share_files, self._loses = first, share_files, loses
        self._servers = {name: JobServer(name, "cpu", as_option, lambda _event: None) for name in self.names}
        self._given: dict[str, Job] = {}
        self._is_new = True

    def begin(self, worker: str, job: Job) -> None:
        self._given[worker] = job

    def events(self) -> Iterator[Event]:
        if self._is_new:
            self._is_new = False
            yield from (Joined(name, reelpatch.__version__) for name in self.names)
            return
        worker = min(self._given, key=lambda name: self._first(self._given[name]))
        job = self._given.pop(worker)
        if job.window is not None and self._loses:
            self._loses = False
            yield Lost(worker, "it was lost", comes_back=True)
            yield Joined(worker, reelpatch.__version__)
            return
        yield Ended(worker, self._servers[worker].make(job))

    def is_free(self, worker: str) -> bool:
        return worker not in self._given

    def stop(self) -> Iterator[Event]:
        yield from ()

    def close(self) -> None:
        """Nothing is held."""


def windows_first(job: Job) -> bool:
    return job.window is None


def job_first(job: Job) -> bool:
    return job.window is not None


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first latent frames of all windows that were denoised."""
    found: list[int] = []
    denoised = Enhancer.denoised

    def counted(self: Enhancer, *args: Any, **options: Any) -> Any:
        noise = options["seed"]
        found.append(noise.first if isinstance(noise, FrameNoise) else 0)
        return denoised(self, *args, **options)

    monkeypatch.setattr(Enhancer, "denoised", counted)
    return found


@pytest.mark.parametrize(
    ("workers", "denoised"),
    [
        # The second window is there when the job comes to it.
        (lambda: InTurn(windows_first, share_files=True, loses=False), [1, 0]),
        (lambda: InTurn(windows_first, share_files=True, loses=True), [0, 1]),
        (lambda: InTurn(job_first, share_files=True, loses=False), [0, 1]),
        (lambda: InTurn(windows_first, share_files=False, loses=False), [0, 1]),
    ],
    ids=["ahead", "lost", "late", "no shared folder"],
)
def test_a_worker_without_a_job_makes_windows_of_another_s(
    workers: Callable[[], Any],
    denoised: list[int],
    models_folder: Path,
    tmp_path: Path,
    made: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "alone").mkdir()
    assert batch(write_batch(tmp_path / "alone", [LONG], models_folder)) == DONE
    assert made == [0, 1]
    made.clear()
    (tmp_path / "two").mkdir()
    path = write_batch(tmp_path / "two", [LONG], models_folder)
    monkeypatch.setattr(
        batch_workers, "way_of", lambda _options, _jobs: batch_workers.Way(RunPlanner, workers)
    )
    assert batch(path) == DONE
    assert states(path) == ["done"]
    assert made == denoised
    assert np.array_equal(frames(path.parent / "long.mkv"), frames(tmp_path / "alone" / "long.mkv"))
    assert not [
        one.name for one in path.parent.iterdir() if one.name.endswith((".ahead", ".windows", ".part"))
    ]
