"""What a worker does with a job, in its own process: it makes it, tells how far it is, and says what became of it."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.make import JobMaker
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.workers.results import RemoteResults
from reelpatch.headless.runs.workers.workers import Logged, Outcome, Told

_BETWEEN_S = 0.1  # of what is told of one stage
_LACKING = ("the memory of ", "there is no room left ", "No space left on device")
"""How sentences begin, or what stands in them, where another machine may have what this one lacks."""


class JobServer:
    """Makes jobs on one device. `tell` is called with what happens; it may raise `KeyboardInterrupt` to stop a job."""

    def __init__(
        self,
        worker: str,
        device: str,
        spelled: Spelled,
        tell: Callable[[Told | Logged], None],
        results: RemoteResults | None = None,
    ) -> None:
        self._worker, self._device, self._tell = worker, device, tell
        self._maker = JobMaker(spelled, results)
        self._told: tuple[str, float] = ("", 0.0)

    def make(self, job: Job) -> Outcome:
        """What became of a job."""
        job = replace(job, request=replace(job.request, device=self._device))
        try:
            self._maker.make(job, self._on_progress)
        except KeyboardInterrupt:
            return Outcome(State.STOPPED, job.said)
        may_do_elsewhere = job.state is State.WRONG and any(words in job.said for words in _LACKING)
        return Outcome(job.state, job.said, job.identity, job.outputs, job.seconds, may_do_elsewhere)

    def send_log(self) -> None:
        """Has the log of this process told, in place of its own stderr."""
        log = logging.getLogger("reelpatch")
        log.setLevel(logging.INFO)
        log.propagate = False
        log.handlers[:] = [_Telling(self._worker, self._tell)]

    def _on_progress(self, stage: str, done: int, total: int) -> None:
        before, at = self._told
        now = time.monotonic()
        if stage != before or done >= total or now - at >= _BETWEEN_S:
            self._told = stage, now
            self._tell(Told(self._worker, stage, done, total))


class _Telling(logging.Handler):
    def __init__(self, worker: str, tell: Callable[[Told | Logged], None]) -> None:
        super().__init__()
        self._worker, self._told = worker, tell

    def emit(self, record: logging.LogRecord) -> None:
        self._told(Logged(self._worker, record.levelno, self.format(record)))
