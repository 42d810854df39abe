"""What makes the jobs of a batch side by side: processes of this machine, actors of Ray, or ComfyUI servers.

Whoever hands jobs out (`dispatch.py`) knows them by this alone. A worker makes one job at a time, and tells what happens as
events; it may be lost at any time, and another may come for it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reelpatch.headless.runs.batch.job import Job, State


@dataclass(frozen=True)
class Outcome:
    """What became of a job; `may_do_elsewhere` where another worker may have what this one lacked: memory, or room on its disk."""

    state: State
    said: str = ""
    identity: str = ""
    outputs: list[Any] = field(default_factory=list[Any])
    seconds: float | None = None
    may_do_elsewhere: bool = False


@dataclass(frozen=True)
class Joined:
    """A worker is there and takes jobs; `version` is that of its Reelpatch."""

    worker: str
    version: str


@dataclass(frozen=True)
class Told:
    """As `OnProgress`, of the job that a worker makes."""

    worker: str
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Logged:
    """A line of a worker's log."""

    worker: str
    level: int
    message: str


@dataclass(frozen=True)
class Ended:
    """The job of a worker has ended, and the worker takes another."""

    worker: str
    outcome: Outcome


@dataclass(frozen=True)
class Lost:
    """A worker is gone, with its job if it had one; `comes_back` where another takes its place by its name."""

    worker: str
    reason: str
    comes_back: bool = False


Event = Joined | Told | Logged | Ended | Lost


class Workers(Protocol):
    """Workers by their names, which are told with `Joined`."""

    @property
    def names(self) -> Sequence[str]:
        """Of all that there may be."""
        ...

    @property
    def group_of(self) -> Callable[[Job], Hashable]:
        """What jobs have in common that a worker makes one after the other without loading anew."""
        ...

    @property
    def share_files(self) -> bool:
        """Whether what one of them writes beside a result is seen by the others, so that they can help each other."""
        ...

    def begin(self, worker: str, job: Job) -> None:
        """Gives a job to a worker that has none."""
        ...

    def events(self) -> Iterator[Event]:
        """What has happened since the last call; waits for a moment where that is nothing."""
        ...

    def is_free(self, worker: str) -> bool:
        """Whether a worker that has none of our jobs is to have one now: others may use it too."""
        ...

    def stop(self) -> Iterator[Event]:
        """Has running jobs stopped, and tells how they ended; what does not answer in time is ended."""
        ...

    def close(self) -> None:
        """Lets go of all workers."""
        ...
