"""Work that goes on beside a window that is being made: reading the next one, and keeping the last one."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

Made = TypeVar("Made")


class Beside(Generic[Made]):
    """One piece of work at a time in a thread of its own, so that no more than one result waits to be fetched.

    As a context manager it ends once the work has: what that then raises is raised, unless something else was raised before.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._under_way: Future[Made] | None = None

    def start(self, work: Callable[[], Made]) -> None:
        """Waits for the work before, raises what that raised, and begins this one."""
        self.finish()
        self._under_way = self._thread.submit(work)

    def finish(self) -> Made | None:
        """What the work makes, waited for; None where there is none. Raises: whatever it raises."""
        work = self._under_way
        if work is None:
            return None
        made = work.result()  # where Ctrl-C ends the waiting, the work stays under way
        self._under_way = None
        return made

    def check(self) -> None:
        """Raises what the work has raised so far, without waiting for it."""
        if self._under_way is not None and self._under_way.done() and self._under_way.exception() is not None:
            self.finish()

    def __enter__(self) -> "Beside[Made]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        other = self._under_way.exception() if self._under_way is not None else None
        if other is None or other is error:
            return
        if kind is None:
            raise other
        _log.warning("%s", other)
