"""The jobs of a batch one after the other: each recipe is loaded once, and what is finished is told at once."""

import logging
from collections.abc import Sequence

from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.make import JobMaker
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.batch.report import Report, stopped
from reelpatch.headless.runs.batch.time_left import TimeLeft
from reelpatch.headless.runs.batch.verbs import Key, key_of
from reelpatch.progress import OnProgress

_log = logging.getLogger(__name__)


def run_jobs(jobs: Sequence[Job], report: Report, on_progress: OnProgress, spelled: Spelled) -> None:
    """Makes all jobs that wait, and writes the report after each.

    Raises: `BadInput` where the report cannot be written. `KeyboardInterrupt` with how many are done; what the running job had
        finished is kept as its verb keeps it.
    """
    report.write(jobs)
    progress = _Progress(jobs, on_progress)
    maker = JobMaker(spelled)
    try:
        for job in _in_order(jobs):
            progress.begin(job)
            maker.make(job, progress.told)
            progress.end(job)
            report.write(jobs, ended=job)
    except KeyboardInterrupt as stop:
        raise stopped(jobs, report.path, str(stop)) from None
    finally:
        report.write(jobs, is_last=True)


def _in_order(jobs: Sequence[Job]) -> list[Job]:
    """Those that wait, in their order, but all of one recipe where the first of it stands."""
    groups: dict[Key, list[Job]] = {}
    for job in jobs:
        if job.state is State.WAITING:
            groups.setdefault(key_of(job), []).append(job)
    return [job for group in groups.values() for job in group]


class _Progress:
    """Which job runs, of how many, and how long the others will take by those that are finished."""

    def __init__(self, jobs: Sequence[Job], on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._left = TimeLeft(jobs)
        self._number = sum(job.is_done for job in jobs)
        self._all = self._number + sum(job.state is State.WAITING for job in jobs)
        self._label = ""

    def begin(self, job: Job) -> None:
        """Says which job begins."""
        self._number += 1
        left = str(self._left)
        self._label = f"job {self._number}/{self._all}{f', {left} left' if left else ''}: "
        _log.info("Job %d of %d, line %d: %s.", self._number, self._all, job.line, job.verb)

    def told(self, stage: str, done: int, total: int) -> None:
        """As `OnProgress`, of the job that runs."""
        self._on_progress(self._label + stage, done, total)

    def end(self, job: Job) -> None:
        """Says what became of it."""
        self._left.end(job)
        if not job.is_done:
            _log.error("Line %d is not done: %s", job.line, job.said)
            return
        left = str(self._left)
        _log.info(
            "Job %d of %d is done in %.0f s: %s%s",
            self._number,
            self._all,
            job.seconds or 0,
            job.target,
            f"; {left} left." if left else ".",
        )
