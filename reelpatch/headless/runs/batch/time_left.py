"""How long the jobs that wait will take, by the work of those that are finished."""

from collections.abc import Sequence

from reelpatch.headless.runs.batch.job import Job, State

_MINUTES_FROM_S, _HOURS_FROM_S = 90, 5400


class TimeLeft:
    """Counts jobs as they end, on a number of workers."""

    def __init__(self, jobs: Sequence[Job], num_workers: int = 1) -> None:
        self._waiting = {id(job): weight_of(job) for job in jobs if job.state is State.WAITING}
        self._num_workers, self._waiting_weight = num_workers, sum(self._waiting.values())
        self._done_weight, self._done_s = 0.0, 0.0

    def end(self, job: Job, seconds: float | None = None) -> None:
        """Takes a job out of those that wait, and where it is done, its seconds as a measure for them; `seconds` where others ran beside it."""
        weight = self._waiting.pop(id(job), 0.0)
        self._waiting_weight -= weight
        if job.is_done:
            self._done_weight += weight
            self._done_s += (job.seconds or 0) if seconds is None else seconds

    def __str__(self) -> str:
        """In words; empty before the first job is done, and after the last."""
        if not self._done_weight or not self._waiting:
            return ""
        at_once = min(self._num_workers, len(self._waiting))
        seconds = self._done_s / self._done_weight * self._waiting_weight / at_once
        if seconds < _MINUTES_FROM_S:
            return f"~{seconds:.0f} s"
        if seconds < _HOURS_FROM_S:
            return f"~{seconds / 60:.0f} min"
        return f"~{seconds / 3600:.1f} h"


def weight_of(job: Job) -> float:
    """The work of a job as plan counts it, in TFLOP; 1 where it was not counted."""
    return job.cost.tflop if job.cost is not None else 1.0
