"""Jobs that wait for a worker: those of one recipe go to workers that have it loaded, and no other goes before them."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping

from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.time_left import weight_of


class WaitingJobs:
    """By what they have in common, in the order of the file otherwise."""

    def __init__(self, jobs: Iterable[Job], group_of: Callable[[Job], Hashable]) -> None:
        self._group_of = group_of
        self._groups: dict[Hashable, deque[Job]] = defaultdict(deque)
        self._work: dict[Hashable, float] = defaultdict(float)
        for job in jobs:
            if job.state is State.WAITING:
                group = group_of(job)
                self._groups[group].append(job)
                self._work[group] += weight_of(job)

    def __bool__(self) -> bool:
        return any(self._groups.values())

    def put_back(self, job: Job) -> None:
        """Takes a job again that a worker did not finish; it comes before the others of its group."""
        group = self._group_of(job)
        self._groups[group].appendleft(job)
        self._work[group] += weight_of(job)

    def take(self, worker: str, held: Mapping[str, Hashable], others: Iterable[str]) -> Job | None:
        """The next job for a worker, None where there is none for it.

        `held` is what each worker has loaded, and `others` are the other workers that there are. A job that a worker has
        failed at is left to them, if there is one that has not.
        """
        free = set(others)

        def suits(job: Job) -> bool:
            failed = {one.worker for one in job.tries}
            return worker not in failed or not free - failed

        for group in self._by_need(worker, held):
            job = next(filter(suits, self._groups[group]), None)
            if job is not None:
                self._groups[group].remove(job)
                self._work[group] -= weight_of(job)
                return job
        return None

    def take_all(self) -> list[Job]:
        """All of them, which nobody is left to make."""
        found = [job for group in self._groups.values() for job in group]
        self._groups.clear()
        self._work.clear()
        return found

    def _by_need(self, worker: str, held: Mapping[str, Hashable]) -> list[Hashable]:
        """What the worker holds comes first, then what nobody holds, then what has the most work for each that holds it."""
        holders: dict[Hashable, int] = defaultdict(int)
        for group in held.values():
            holders[group] += 1

        def need(group: Hashable) -> tuple[bool, bool, float]:
            return held.get(worker) != group, holders[group] > 0, -self._work[group] / max(1, holders[group])

        return sorted((group for group, jobs in self._groups.items() if jobs), key=need)
