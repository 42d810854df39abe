"""Windows of running jobs that workers without a job make ahead, where they need nothing of each other up to their latents."""

from dataclasses import replace

from reelpatch.headless.runs.batch.job import Job
from reelpatch.windows.ahead import remove_ahead


class WindowsAhead:
    """Those of long enhancements: whoever makes the job begins at its first window, others at its last.

    Windows of edits begin at the finished pictures of the one before, so that there is nothing to be made ahead.
    """

    def __init__(self) -> None:
        self._left: dict[int, tuple[Job, list[int]]] = {}
        self._helped: list[Job] = []

    def begin(self, job: Job) -> None:
        """A job is being made."""
        num_windows = 1 if job.sized is None else job.sized.windows
        if job.verb == "enhance" and num_windows > 1:
            self._left[id(job)] = (job, list(range(1, num_windows)))

    def take(self) -> Job | None:
        """The last window that nobody was given of the job that has most of them, as a job; None where there is none."""
        job, left = max(self._left.values(), key=lambda one: len(one[1]), default=(None, []))
        if job is None or not left:
            return None
        if not any(one is job for one in self._helped):
            self._helped.append(job)
        return replace(job, window=left.pop(), tries=[])

    def end(self, job: Job) -> None:
        """Nobody makes a job any more."""
        self._left.pop(id(job), None)

    def remove_late(self) -> None:
        """Takes away what was made for jobs that were done before it."""
        for job in self._helped:
            if job.is_done and job.target is not None:
                remove_ahead(job.target)
