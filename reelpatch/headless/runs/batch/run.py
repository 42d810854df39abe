"""The jobs of a batch in one process: each recipe is loaded once, and what is finished is told at once.

Edits and enhancements of one recipe run two at a time where there is room: while one is denoised, the next clip is read and the last result is
written.
"""

import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby

import torch

from reelpatch.headless.models.device_choice import choose_device
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.make import JobMaker
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.batch.report import Report, stopped
from reelpatch.headless.runs.batch.time_left import TimeLeft
from reelpatch.headless.runs.batch.turns import Turn, Turns
from reelpatch.headless.runs.batch.verbs import Key, key_of
from reelpatch.progress import OnProgress

AT_ONCE = 2
"""Jobs whose clips are in memory at one time."""
_log = logging.getLogger(__name__)


def at_once(device: torch.device, num_threads: int, num_cores: int) -> int:
    """How many jobs are made at one time: one where the models have all cores of the processor, from which the other would only take."""
    is_free = device.type != "cpu" or num_threads < num_cores
    return AT_ONCE if is_free else 1


def run_jobs(jobs: Sequence[Job], report: Report, on_progress: OnProgress, spelled: Spelled) -> None:
    """Makes all jobs that wait, and writes the report after each.

    Raises: `BadInput` where the report cannot be written. `KeyboardInterrupt` with how many are done; what the running job had
        finished is kept as its verb keeps it.
    """
    report.write(jobs)
    run = _Run(jobs, report, on_progress, JobMaker(spelled))
    try:
        for same in _in_order(jobs):
            for goes_beside, some in groupby(same, _goes_beside_others):
                run.make(list(some), goes_beside)
    except KeyboardInterrupt as stop:
        raise stopped(jobs, report.path, str(stop)) from None
    finally:
        report.write(jobs, is_last=True)


def _in_order(jobs: Sequence[Job]) -> list[list[Job]]:
    """Those that wait, in their order, but all of one recipe where the first of it stands."""
    groups: dict[Key, list[Job]] = {}
    for job in jobs:
        if job.state is State.WAITING:
            groups.setdefault(key_of(job), []).append(job)
    return list(groups.values())


def _goes_beside_others(job: Job) -> bool:
    """Whether it asks nothing but its recipe's models, and those for windows alone."""
    if job.verb not in ("edit", "enhance") or job.edits is not None:
        return False
    return job.verb == "enhance" or (job.request.via is None and not job.request.rewriting.is_asked)


class _Run:
    """All jobs of a batch, one after the other or two side by side."""

    def __init__(self, jobs: Sequence[Job], report: Report, on_progress: OnProgress, maker: JobMaker) -> None:
        self._jobs, self._report, self._on_progress, self._maker = jobs, report, on_progress, maker
        self._left = TimeLeft(jobs)
        self._begun = sum(job.is_done for job in jobs)
        self._all = self._begun + sum(job.state is State.WAITING for job in jobs)
        self._one_at_a_time = threading.Lock()
        self._last_end_s = time.monotonic()

    def make(self, jobs: Sequence[Job], goes_beside: bool) -> None:
        """Jobs of one recipe. Raises: `KeyboardInterrupt` with what the job that ran has kept."""
        device = choose_device(jobs[0].request.device)
        number = min(len(jobs), at_once(device, torch.get_num_threads(), os.cpu_count() or 1))
        if goes_beside and number > 1:
            self._make_side_by_side(jobs, number)
            return
        for job in jobs:
            self._make_one(job)

    def _make_side_by_side(self, jobs: Sequence[Job], at_one_time: int) -> None:
        turns = Turns()
        with ThreadPoolExecutor(at_one_time, thread_name_prefix="job") as threads:
            made = [
                threads.submit(self._make_one, job, Turn(turns, number)) for number, job in enumerate(jobs)
            ]
            try:
                turns.serve(made)
            except BaseException as error:
                turns.stop()
                threads.shutdown(cancel_futures=True)
                if isinstance(error, KeyboardInterrupt):
                    raise KeyboardInterrupt(_said(made)) from None
                raise

    def _make_one(self, job: Job, turn: Turn | None = None) -> None:
        progress = self._begin(job)
        try:
            self._maker.make(job, progress.told, turn)
        except KeyboardInterrupt:
            if turn is None or turn.has_begun:
                raise
            job.state, job.said = State.WAITING, ""
            raise KeyboardInterrupt from None
        finally:
            if turn is not None:
                turn.end()
        with self._one_at_a_time:
            before_s, self._last_end_s = self._last_end_s, time.monotonic()
            self._left.end(job, self._last_end_s - before_s)
            progress.end(job)
            self._report.write(self._jobs, ended=job)

    def _begin(self, job: Job) -> "_Progress":
        with self._one_at_a_time:
            self._begun += 1
            _log.info("Job %d of %d, line %d: %s.", self._begun, self._all, job.line, job.verb)
            return _Progress(self._begun, self._all, self._left, self._on_progress)


def _said(made: Sequence[Future[None]]) -> str:
    """What the job says that was stopped while it was worked on."""
    errors = (one.exception() for one in made if one.done() and not one.cancelled())
    return next((str(error) for error in errors if isinstance(error, KeyboardInterrupt) and str(error)), "")


class _Progress:
    """Which job runs, of how many, and how long the others will take by those that are finished."""

    def __init__(self, number: int, num_jobs: int, left: TimeLeft, on_progress: OnProgress) -> None:
        self._number, self._all, self._left, self._on_progress = number, num_jobs, left, on_progress
        self._label = ""

    def told(self, stage: str, done: int, total: int) -> None:
        """As `OnProgress`, of the job that runs; the time left is that when its models began."""
        if not self._label:
            left = str(self._left)
            self._label = f"job {self._number}/{self._all}{f', {left} left' if left else ''}: "
        self._on_progress(self._label + stage, done, total)

    def end(self, job: Job) -> None:
        """Says what became of it."""
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
