"""The jobs of a batch as a table for a terminal: what each works on, what it takes, and what is missing or wrong."""

from collections.abc import Iterator, Sequence

from reelpatch.headless.runs.batch.job import Job

_HEAD = (
    "line",
    "verb",
    "worked on",
    "frames changed",
    "memory",
    "minutes",
    "state",
    "result, or what is wrong",
)
_NO_NUMBER = "-"


def table(jobs: Sequence[Job]) -> str:
    """One line for each job, below the names of the columns; lines end in newlines."""
    rows = [_HEAD, *map(_row, jobs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    return "".join(f"{line}\n" for line in _lines(rows, widths))


def _lines(rows: Sequence[tuple[str, ...]], widths: Sequence[int]) -> Iterator[str]:
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True))
        yield "  ".join((*cells, row[-1]))


def _row(job: Job) -> tuple[str, ...]:
    lacking = "" if job.cost is None or not job.cost.lacking else f" (does not fit: needs {job.cost.lacking})"
    said = job.said or f"{job.target}{lacking}"
    numbers = (size_of(job), range_of(job), memory_of(job), minutes_of(job))
    return (
        str(job.line),
        job.verb or _NO_NUMBER,
        *(one or _NO_NUMBER for one in numbers),
        str(job.state),
        " ".join(said.split()),
    )


def size_of(job: Job) -> str:
    """Width and height of what is worked on, and its length in frames; empty where that is not known."""
    if job.sized is None:
        return ""
    height, width = job.sized.size
    times = f"{job.sized.windows} x " if job.sized.windows > 1 else ""
    return f"{width}x{height}, {times}{job.sized.frames} frames"


def range_of(job: Job) -> str:
    """Which frames may change, counted from 0."""
    return "" if job.sized is None or job.sized.shown is None else "{}-{}".format(*job.sized.shown)


def memory_of(job: Job) -> str:
    """What it takes at once."""
    return "" if job.cost is None else f"~{job.cost.memory_gib:.1f} GiB {job.cost.memory}"


def minutes_of(job: Job) -> str:
    """How long it takes; empty where no rates of the machine are known."""
    if job.cost is None or job.cost.minutes is None:
        return ""
    return "~{:.1f}-{:.1f} min".format(*job.cost.minutes)
