"""Hands the jobs of a batch to workers: what a worker leaves undone is tried again elsewhere, with the reason kept."""

import logging
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Protocol

import reelpatch
from reelpatch.headless.runs.batch.job import Job, State, Try
from reelpatch.headless.runs.batch.report import stopped
from reelpatch.headless.runs.batch.time_left import TimeLeft
from reelpatch.headless.runs.workers.waiting_jobs import WaitingJobs
from reelpatch.headless.runs.workers.windows_ahead import WindowsAhead
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Logged, Lost, Outcome, Told, Workers

MOST_TRIES = 3
"""A job that was being made when so many workers were lost is not given to another."""
_log = logging.getLogger(__name__)


class Kept(Protocol):
    """Where it is kept what has become of jobs, such as the report of a batch."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    def write(self, jobs: Sequence[Job], *, ended: Job | None = None, is_last: bool = False) -> None:
        """Keeps how the jobs stand; `ended` is the one that has ended since, if it is one."""
        ...


class View(Protocol):
    """What is seen of a batch while it runs."""

    def jobs(self, done: int, total: int, left: str) -> None:
        """How many jobs have ended, and how long the others will take, in words."""
        ...

    def worker(self, name: str, stage: str, done: int, total: int) -> None:
        """As `OnProgress`, of one worker; all of it is empty where the worker has no job."""
        ...


def dispatch_jobs(jobs: Sequence[Job], workers: Workers, report: Kept, view: View) -> None:
    """Has all jobs made that wait, and writes the report after each.

    Raises: `BadInput` where the report cannot be written. `KeyboardInterrupt` with how many are done.
    """
    report.write(jobs)
    run = _Run(jobs, workers, report, view)
    try:
        run.go()
    except KeyboardInterrupt:
        run.stop()
        raise stopped(jobs, report.path) from None
    finally:
        workers.close()
        run.ahead.remove_late()
        report.write(jobs, is_last=True)


class _Run:
    def __init__(self, jobs: Sequence[Job], workers: Workers, report: Kept, view: View) -> None:
        self._jobs, self._workers, self._report, self._view = jobs, workers, report, view
        self._waiting = WaitingJobs(jobs, workers.group_of)
        self.ahead = WindowsAhead()
        self._left = TimeLeft(jobs, len(workers.names))
        self._total = sum(job.state is State.WAITING for job in jobs)
        self._ended = 0
        self._here: set[str] = set()
        self._coming = set(workers.names)
        self._running: dict[str, Job] = {}
        self._held: dict[str, Hashable] = {}
        self._last_reason = ""

    def go(self) -> None:
        """Until every job has ended."""
        self._show()
        while self._waiting or any(job.window is None for job in self._running.values()):
            if not self._here and not self._coming:
                self._give_up()
                return
            self._hand_out()
            for event in self._workers.events():
                self._take(event)

    def stop(self) -> None:
        """Stops what runs, and notes how it ended."""
        for event in self._workers.stop():
            self._take(event)
        for worker, job in self._running.items():  # those of windows are nobody's
            job.worker = worker
            job.state, job.said = State.STOPPED, "stopped; the next run begins it anew."

    def _hand_out(self) -> None:
        for worker in sorted(self._here - self._running.keys(), key=self._workers.names.index):
            if not self._workers.is_free(worker):
                continue
            job = self._waiting.take(worker, self._held, self._here - {worker})
            # It counts as running before anything is said of it: whoever hears that may press Ctrl-C.
            if job is not None:
                self._runs(worker, job)
                _log.info("%s begins line %d: %s.", worker, job.line, job.verb)
                self.ahead.begin(job)
            elif self._workers.share_files and (job := self.ahead.take()) is not None:
                self._runs(worker, job)
                _log.info("%s makes window %d of line %d ahead.", worker, (job.window or 0) + 1, job.line)
            else:
                continue
            self._workers.begin(worker, job)

    def _runs(self, worker: str, job: Job) -> None:
        self._running[worker], self._held[worker] = job, self._workers.group_of(job)

    def _take(self, event: Event) -> None:
        if isinstance(event, Told):
            self._view.worker(event.worker, event.stage, event.done, event.total)
        elif isinstance(event, Logged):
            _log.log(event.level, "%s: %s", event.worker, event.message)
        elif isinstance(event, Joined):
            self._join(event)
        elif isinstance(event, Lost):
            self._lose(event)
        else:
            self._end(event)

    def _join(self, event: Joined) -> None:
        self._coming.discard(event.worker)
        if event.version == reelpatch.__version__:
            self._here.add(event.worker)
            return
        self._last_reason = f"{event.worker} has Reelpatch {event.version}, but this is {reelpatch.__version__}: install one version on all."
        _log.error("%s It gets no jobs.", self._last_reason)

    def _lose(self, event: Lost) -> None:
        self._here.discard(event.worker)
        self._held.pop(event.worker, None)
        (self._coming.add if event.comes_back else self._coming.discard)(event.worker)
        self._last_reason = f"{event.worker}: {event.reason}"
        _log.warning("%s is lost: %s", event.worker, event.reason)
        self._view.worker(event.worker, "", 0, 0)
        job = self._running.pop(event.worker, None)
        if job is not None and job.window is None:
            self.ahead.end(job)
            self._try_again(job, event.worker, event.reason)

    def _try_again(self, job: Job, worker: str, reason: str) -> None:
        job.tries.append(Try(worker, reason))
        if len(job.tries) < MOST_TRIES:
            _log.warning("Line %d is tried again.", job.line)
            self._waiting.put_back(job)
            return
        tries = "; ".join(f"{one.worker}: {one.reason.rstrip('.')}" for one in job.tries)
        self._settle(job, Outcome(State.WRONG, f"it was tried {MOST_TRIES} times ({tries})."), worker)

    def _end(self, event: Ended) -> None:
        job = self._running.pop(event.worker)
        self._view.worker(event.worker, "", 0, 0)
        if job.window is not None:
            if event.outcome.state is State.WRONG:
                _log.info("It is left to who makes the job: %s", event.outcome.said)
            self.ahead.remove_late()
            return
        self.ahead.end(job)
        others = self._here - {event.worker} - {one.worker for one in job.tries}
        if event.outcome.may_do_elsewhere and others:
            self._try_again(job, event.worker, event.outcome.said)
        else:
            self._settle(job, event.outcome, event.worker)

    def _settle(self, job: Job, outcome: Outcome, worker: str) -> None:
        job.state, job.said, job.worker = outcome.state, outcome.said, worker
        job.identity, job.outputs, job.seconds = outcome.identity, outcome.outputs, outcome.seconds
        self._ended += 1
        self._left.end(job)
        if job.is_done:
            _log.info("Line %d is done by %s in %.0f s: %s", job.line, worker, job.seconds or 0, job.target)
        else:
            _log.error("Line %d is not done: %s", job.line, job.said)
        self._show()
        self._report.write(self._jobs, ended=job)

    def _give_up(self) -> None:
        said = f"no worker is left to make it; the last was lost ({self._last_reason.rstrip('.')}): give the same command once more."
        for job in self._waiting.take_all():
            job.refuse(said)
            self._left.end(job)

    def _show(self) -> None:
        self._view.jobs(self._ended, self._total, str(self._left))
