"""One job of a batch: what is asked for, what it will take, and what has become of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from reelpatch.clips.frames import Size
from reelpatch.headless.runs.request import RunRequest

_SHOWN = 200


class State(str, Enum):
    """What has become of a job. Its values are those of the report."""

    WAITING = "waiting"
    DONE = "done"
    KEPT = "done before"
    WRONG = "not done"
    STOPPED = "stopped"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Sized:
    """What a job works on.

    Units: `size` = (height, width) in pixels of a window of `frames`; `shown` = (first, last) frame that may change, counted
    from 0, None where nothing is counted.
    """

    frames: int
    size: Size
    references: int = 0
    windows: int = 1
    shown: tuple[int, int] | None = None


@dataclass(frozen=True)
class Cost:
    """What a job takes, as the verb plan counts it.

    Units: `memory_gib` of `memory` ("VRAM" or "RAM"); `minutes` (least, most) are None where no rates of the machine are known;
    `lacking` is in words, empty where the job fits.
    """

    tflop: float
    memory: str
    memory_gib: float
    minutes: tuple[float, float] | None
    lacking: str


@dataclass(frozen=True)
class Try:
    """A try that came to nothing, on a worker, and why."""

    worker: str
    reason: str


@dataclass
class Job:
    """A job by the line it stands on; `request` is None, and `said` why, where no job could be made of that.

    `edits` is the file of an edit that has several. `identity` tells its result from all others; `outputs` are stamps of what
    it has written. `worker` is who made it, where several do, and `tries` are those that came to nothing before. `earlier` is its entry in
    an earlier report where only a worker can say whether that is the same job, as it has the device. `window` is the one window
    that a worker is to make ahead for whoever makes the job, None for the job itself.
    """

    line: int
    verb: str
    request: Any = None
    edits: Path | None = None
    state: State = State.WAITING
    said: str = ""
    sized: Sized | None = None
    cost: Cost | None = None
    identity: str = ""
    seconds: float | None = None
    outputs: list[Any] = field(default_factory=list[Any])
    worker: str = ""
    tries: list[Try] = field(default_factory=list[Try])
    earlier: Mapping[str, Any] | None = None
    window: int | None = None

    @classmethod
    def wrong(cls, line: int, verb: str, said: str) -> "Job":
        """One that cannot be made, with the sentence that says why."""
        return cls(line, verb, state=State.WRONG, said=said)

    def refuse(self, said: str) -> None:
        """Says why it is not done."""
        self.state, self.said = State.WRONG, said

    @property
    def is_done(self) -> bool:
        """Whether its result is there."""
        return self.state in (State.DONE, State.KEPT)

    @property
    def target(self) -> Path | None:
        """Where its result goes."""
        request: RunRequest | None = self.request
        return None if request is None else request.target

    @property
    def source(self) -> Path | None:
        """What its result is made from, the first of several."""
        found = (getattr(self.request, name, None) for name in ("clip", "image", "first", "last"))
        return next(filter(None, found), None)

    @property
    def words(self) -> str:
        """What it was told, shortened."""
        told = (getattr(self.request, name, None) for name in ("instruction", "prompt", "caption"))
        return str(next(filter(None, told), ""))[:_SHOWN]

    def as_dict(self) -> dict[str, Any]:
        """In plain types, for the report."""
        sized, cost = self.sized, self.cost
        return {
            "line": self.line,
            "verb": self.verb,
            "state": str(self.state),
            "sentence": self.said or None,
            "source": None if self.source is None else str(self.source),
            "told": self.words,
            "output": None if self.target is None else str(self.target),
            "recipe": getattr(self.request, "recipe", None),
            "work": None
            if sized is None
            else {
                "frames": sized.frames,
                "width": sized.size[1],
                "height": sized.size[0],
                "references": sized.references,
                "windows": sized.windows,
                "frame_range": sized.shown,
            },
            "plan": None
            if cost is None
            else {
                "tflop": cost.tflop,
                "memory": cost.memory,
                "memory_gib": cost.memory_gib,
                "minutes": cost.minutes,
                "lacking": cost.lacking or None,
            },
            "seconds": self.seconds,
            "identity": self.identity or None,
            "outputs": self.outputs,
            "worker": self.worker or None,
            "tries": [asdict(one) for one in self.tries],
        }
