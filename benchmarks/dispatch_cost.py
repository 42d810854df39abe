"""What handing out a job costs the process that does it: the real dispatcher and report, with workers that end each job at once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path

import reelpatch
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.report import Report
from reelpatch.headless.runs.request import EditRequest
from reelpatch.headless.runs.workers.dispatch import dispatch_jobs
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Outcome


class InstantWorkers:
    """Workers that say at once of each job that it is done."""

    def __init__(self, number: int) -> None:
        self._names = [f"instant#{one}" for one in range(number)]
        self._events: list[Event] = [Joined(name, reelpatch.__version__) for name in self._names]

    @property
    def names(self) -> Sequence[str]:
        return self._names

    @property
    def group_of(self) -> Callable[[Job], Hashable]:
        return lambda job: job.request.recipe

    def begin(self, worker: str, job: Job) -> None:
        self._events.append(
            Ended(worker, Outcome(State.DONE, "", "x" * 64, [[str(job.target), 1, "x" * 64]], 1.0))
        )

    def events(self) -> Iterator[Event]:
        found, self._events = self._events, []
        yield from found

    def is_free(self, worker: str) -> bool:
        return worker in self._names

    def stop(self) -> Iterator[Event]:
        return iter(())

    def close(self) -> None:
        """There is nothing to let go of."""


class _NoView:
    def jobs(self, done: int, total: int, left: str) -> None:
        """Shows nothing."""

    def worker(self, name: str, stage: str, done: int, total: int) -> None:
        """Shows nothing."""


def dispatch_seconds(num_jobs: int = 400, num_workers: int = 16) -> float:
    """Processor seconds for each job of a file of that many, its line in the report included."""
    with tempfile.TemporaryDirectory() as folder:
        report = Report(Path(folder) / "report", Path(folder) / "jobs.jsonl")
        report.make_folder()
        jobs = [
            Job(
                line,
                "edit",
                EditRequest(
                    clip=Path(folder) / "a.mp4",
                    instruction="make it sepia",
                    output=Path(folder) / f"{line}.mp4",
                ),
            )
            for line in range(num_jobs)
        ]
        began = time.process_time()
        dispatch_jobs(jobs, InstantWorkers(num_workers), report, _NoView())
        return (time.process_time() - began) / num_jobs
