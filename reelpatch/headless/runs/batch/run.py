"""The jobs of a batch one after the other: each recipe is loaded once, and what is finished is told at once."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.embedded_texts import free_memory
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.job_identity import identity_of, written
from reelpatch.headless.runs.batch.planning import Spelled, refusing
from reelpatch.headless.runs.batch.report import Report
from reelpatch.headless.runs.batch.verbs import VERBS, Key, key_of, models_for, settings_of
from reelpatch.headless.runs.identity import stamped_weights
from reelpatch.progress import OnProgress

_MINUTES_FROM_S, _HOURS_FROM_S = 90, 5400
_log = logging.getLogger(__name__)


def run_jobs(jobs: Sequence[Job], report: Report, on_progress: OnProgress, spelled: Spelled) -> None:
    """Makes all jobs that wait, and writes the report after each.

    Raises: `BadInput` where the report cannot be written. `KeyboardInterrupt` with how many are done; what the running job had
        finished is kept as its verb keeps it.
    """
    report.write(jobs)
    progress = _Progress(jobs, on_progress)
    try:
        for group in _groups(jobs):
            models = _Models()
            for job in group:
                _run_one(job, models, report, progress, jobs, spelled)
            models.let_go()
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"stopped; {sum(job.is_done for job in jobs)} of {len(jobs)} jobs are done ({report.path}), and the same command goes "
            f"on. {stop}".rstrip()
        ) from None
    finally:
        report.write(jobs, is_last=True)


def _groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """Those that wait, in their order, but all of one recipe where the first of it stands."""
    groups: dict[Key, list[Job]] = {}
    for job in jobs:
        if job.state is State.WAITING:
            groups.setdefault(key_of(job), []).append(job)
    return list(groups.values())


class _Models:
    """The models of the jobs of one recipe, found with the first of them."""

    def __init__(self) -> None:
        self._held: tuple[LoadedRecipe, list[Any]] | None = None

    def of(self, job: Job) -> tuple[LoadedRecipe, list[Any]]:
        """With stamps of their files. Raises: `BadInput` as `LoadedRecipe`."""
        if self._held is None:
            models = models_for(job)
            self._held = (models, stamped_weights(models.files))
        return self._held

    def let_go(self) -> None:
        """Gives their memory back."""
        self._held = None
        free_memory()


def _run_one(
    job: Job, models: _Models, report: Report, progress: "_Progress", jobs: Sequence[Job], spelled: Spelled
) -> None:
    began = time.monotonic()
    progress.begin(job)
    try:
        with refusing(job, spelled):
            _make(job, models, progress)
    except KeyboardInterrupt as stop:
        job.state, job.said = State.STOPPED, str(stop) or "stopped; the next run begins it anew."
        raise KeyboardInterrupt(f"Line {job.line}: {job.said}") from None
    if job.is_done:
        job.seconds = round(time.monotonic() - began, 3)
        report.thumbnails.add(job)
    progress.end(job)
    report.write(jobs)


def _make(job: Job, models: _Models, progress: "_Progress") -> None:
    loaded, weights = models.of(job)
    job.identity = identity_of(job, loaded.under(settings_of(job)), weights)
    result = VERBS[job.verb].run(job, progress.told, loaded)
    job.outputs = written(result)
    job.state, job.said = State.DONE, ""


class _Progress:
    """Which job runs, of how many, and how long the others will take by those that are finished."""

    def __init__(self, jobs: Sequence[Job], on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._waiting = {id(job): _weight(job) for job in jobs if job.state is State.WAITING}
        self._number = sum(job.is_done for job in jobs)
        self._all = self._number + len(self._waiting)
        self._done_weight, self._done_s = 0.0, 0.0
        self._label = ""

    def begin(self, job: Job) -> None:
        """Says which job begins."""
        self._number += 1
        left = self._left()
        self._label = f"job {self._number}/{self._all}{f', {left} left' if left else ''}: "
        _log.info("Job %d of %d, line %d: %s.", self._number, self._all, job.line, job.verb)

    def told(self, stage: str, done: int, total: int) -> None:
        """As `OnProgress`, of the job that runs."""
        self._on_progress(self._label + stage, done, total)

    def end(self, job: Job) -> None:
        """Says what became of it."""
        weight = self._waiting.pop(id(job))
        if not job.is_done:
            _log.error("Line %d is not done: %s", job.line, job.said)
            return
        self._done_weight += weight
        self._done_s += job.seconds or 0
        left = self._left()
        _log.info(
            "Job %d of %d is done in %.0f s: %s%s",
            self._number,
            self._all,
            job.seconds or 0,
            job.target,
            f"; {left} left." if left else ".",
        )

    def _left(self) -> str:
        """By the work that plan counts; empty before the first job is done, and after the last."""
        if not self._done_weight or not self._waiting:
            return ""
        seconds = self._done_s / self._done_weight * sum(self._waiting.values())
        if seconds < _MINUTES_FROM_S:
            return f"~{seconds:.0f} s"
        if seconds < _HOURS_FROM_S:
            return f"~{seconds / 60:.0f} min"
        return f"~{seconds / 3600:.1f} h"


def _weight(job: Job) -> float:
    return job.cost.tflop if job.cost is not None else 1.0
