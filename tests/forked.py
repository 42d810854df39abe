"""Runs calls in processes of their own, forked from this one, so that each begins with everything imported.

What ends a process - a crash of a library, a call that never ends - is an outcome like others. POSIX alone. The process
that forks should have done no work in several threads, which a fork does not take along.
"""

import gc
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import multiprocessing.util
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

_POLL_S = 0.004
_HANGS_S = 600.0
_RSS_BYTES = 1 if sys.platform == "darwin" else 1024
CRASHED = 70  # exit code of a call that raised


@dataclass(frozen=True)
class Ended:
    """How a call ended; `code` is negative for a signal, as in `subprocess`, `max_bytes` the most memory that it held."""

    name: str
    code: int
    out: str
    err: str
    seconds: float
    max_bytes: int
    is_too_long: bool


@dataclass
class _Child:
    name: str
    pid: int
    began: float
    files: tuple[IO[Any], IO[Any]]


def forked(
    calls: Iterable[tuple[str, Callable[[], int]]], *, jobs: int = 1, limit_s: float = 300
) -> Iterator[Ended]:
    """The outcomes of named calls that return exit codes, as they end, `jobs` of them at a time."""
    running: list[_Child] = []
    for name, call in calls:
        while len(running) >= jobs:
            yield from _reaped(running, limit_s)
        running.append(_start(name, call))
    while running:
        yield from _reaped(running, limit_s)


def _start(name: str, call: Callable[[], int]) -> _Child:
    files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    return _Child(name, fork_of(call, *(file.fileno() for file in files)), time.monotonic(), files)


def fork_of(call: Callable[[], int], out: int, err: int) -> int:
    """The number of a process that makes a call, ends with what it returns, and writes to these open files."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    multiprocessing.forkserver._forkserver.__init__()  # that of its parent is none of its own
    # The lock of bars is one for all that are forked: killed while it draws, this process would keep it, and its parent would wait for ever.
    tqdm.set_lock(threading.RLock())
    # What was left in cycles stays: to close a decoder here would wait for threads that are in the parent alone.
    gc.freeze()
    code = CRASHED
    try:
        for number, file in enumerate((out, err), 1):
            os.dup2(file, number)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        code = call()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve_forks() -> None:
    """Makes the process that multiprocessing copies for its "forkserver" a fork of this one, so that it imports nothing again.

    For a process that `fork_of` made, before it does anything else: it has one thread then.
    """
    multiprocessing.resource_tracker.ensure_running()
    spawned, multiprocessing.util.spawnv_passfds = multiprocessing.util.spawnv_passfds, _forked_server
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        multiprocessing.util.spawnv_passfds = spawned


def _forked_server(_python: bytes, arguments: Sequence[str], kept: Sequence[int]) -> int:
    """As `spawnv_passfds`: runs the program that stands last in these arguments, with these open files alone."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in {int(one.name) for one in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}:
            with suppress(OSError):  # that of the listing
                os.close(number)
        exec(arguments[-1], {})
    finally:
        os._exit(0)


def _reaped(running: list[_Child], limit_s: float) -> Iterator[Ended]:
    """What ended meanwhile, taken out of `running`; nothing, after a moment, where nothing did."""
    for child in list(running):
        seconds = time.monotonic() - child.began
        is_too_long = seconds > limit_s
        if is_too_long:
            os.kill(child.pid, signal.SIGKILL)
        pid, status, usage = os.wait4(child.pid, 0 if is_too_long else os.WNOHANG)
        if pid:
            running.remove(child)
            out, err = (_content(file) for file in child.files)
            code, max_bytes = os.waitstatus_to_exitcode(status), usage.ru_maxrss * _RSS_BYTES
            yield Ended(child.name, code, out, err, seconds, max_bytes, is_too_long)
            return
    time.sleep(_POLL_S)


def _content(file: IO[Any]) -> str:
    file.seek(0)
    with file:
        return file.read().decode("utf-8", "replace")


class Running:
    """A call at work in a process forked from this one; the part of `subprocess.Popen` that tests use.

    What it says goes to `log`, or can be read from `stderr`.
    """

    def __init__(self, call: Callable[[], int], log: Path | None = None) -> None:
        self._code: int | None = None
        if log is not None:
            with log.open("wb") as said:
                self.pid = fork_of(call, said.fileno(), said.fileno())
            return
        read, write = os.pipe()
        self.pid = fork_of(call, write, write)
        os.close(write)
        self.stderr = os.fdopen(read, "rb")

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.poll() is None:
            self.kill()
            self.wait()

    def poll(self) -> int | None:
        """The exit code, or None as long as it works."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self) -> int:
        """The exit code; of a process that a signal ended, its negative. One that hangs is killed, so that its test ends."""
        ends = time.monotonic() + _HANGS_S
        while self.poll() is None:
            if time.monotonic() > ends:
                self.kill()
            time.sleep(_POLL_S)
        code = self.poll()
        assert code is not None
        return code

    def heard(self) -> str:
        """All that is yet to be read of what it says, once it and all that it has started have ended."""
        with self.stderr:
            said = self.stderr.read().decode()
        self.wait()
        return said

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
