"""What a person at a terminal sees: progress bars with time left, and log lines between them."""

import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger("reelpatch")


@contextmanager
def progress_bars() -> Generator[Callable[[str, int, int], None]]:
    """Draws a bar for each stage it is told about, on stderr, and none where that is not a terminal."""
    from tqdm import tqdm  # when there is something to draw: it takes as long to import as all of --help

    bars: dict[str, tqdm[NoReturn]] = {}

    def show(stage: str, done: int, total: int) -> None:
        bar = bars.get(stage)
        if bar is None or done < bar.n:  # a stage that begins, perhaps once more
            for other in bars.values():
                other.close()
            bars.clear()
            bar = bars[stage] = tqdm(total=total, desc=stage, file=sys.stderr, disable=None)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


@contextmanager
def progress_line() -> Generator[Callable[[str, int, int], None]]:
    """As `progress_bars`, on one line for all stages."""
    from tqdm import tqdm

    bar: tqdm[NoReturn] = tqdm(total=0, file=sys.stderr, disable=None)
    try:
        yield partial(redraw, bar)
    finally:
        bar.close()


def redraw(bar: "tqdm[NoReturn]", stage: str, done: int, total: int) -> None:
    """Has a bar tell of a stage, in place of the one before."""
    if bar.disable:
        return
    if bar.desc != f"{stage}: " or done < bar.n:
        bar.reset(total)
    bar.total, bar.n = total, done
    bar.set_description(stage)


def start_logging() -> None:
    """Sends the log to stderr, so that stdout holds results alone."""
    log.setLevel(logging.INFO)
    log.propagate = False
    if not log.handlers:
        log.addHandler(_AroundBars())


class _AroundBars(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        tqdm.write(prefix + self.format(record), file=sys.stderr)


def listing(value: Any, indent: str = "") -> str:
    """Nested plain data as indented lines."""
    pairs = value.items() if isinstance(value, dict) else ((f"{i}", item) for i, item in enumerate(value, 1))
    lines: list[str] = []
    for name, item in pairs:
        if isinstance(item, dict | list | tuple) and item:
            lines.append(f"{indent}{name}:\n{listing(item, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {f'{item:.4g}' if isinstance(item, float) else item}\n")
    return "".join(lines)
