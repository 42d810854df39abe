"""Jobs that run side by side, of which one at a time uses the models: the thread that has them runs all that is asked of them.

So that while a clip is denoised, the next one is read and the last result is written. No model is touched by two threads, and jobs
have their turns in their order.
"""

import queue
import threading
import time
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any, TypeVar

Made = TypeVar("Made")
_LOOK_S = 0.5  # a wait without end hears no Ctrl-C on Windows
_Asked = tuple[Callable[[], Any], Future[Any]]


class Turns:
    """The turns of jobs that are numbered from 0; every job has to end its own."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[_Asked | Future[None]] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._over: set[int] = set()
        self._now = 0
        self._is_stopped = False
        # What the job whose turn it is waits for; not held, as there are frames of a clip in it.
        self._asked: Callable[[], Future[Any] | None] = lambda: None

    def serve(self, jobs: Collection[Future[None]]) -> None:
        """Runs in this thread what jobs ask for, until all of them have ended. Raises: whatever one of them raises."""
        for job in jobs:
            job.add_done_callback(self._told.put)
        left = len(jobs)
        while left:
            try:
                left -= _has_ended(self._told.get(timeout=_LOOK_S))
            except queue.Empty:
                continue

    def stop(self) -> None:
        """Has what was asked for and is not made yet, and whatever is asked for from now on, raise `KeyboardInterrupt`.

        For the thread that served.
        """
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
            asked = self._asked()
            if asked is not None and not asked.done():
                asked.set_exception(KeyboardInterrupt())

    def ask(self, number: int, work: Callable[[], Made]) -> Future[Made]:
        """Has `work` run, once it is that job's turn. Raises: `KeyboardInterrupt` where all is stopped before."""
        made: Future[Made] = Future()
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._now == number)
            if self._is_stopped:
                raise KeyboardInterrupt
            self._asked = weakref.ref(made)
            self._told.put((work, made))
        return made

    def end(self, number: int) -> None:
        """Ends a turn, and begins that of the first job which has not ended its own."""
        with self._changed:
            self._over.add(number)
            while self._now in self._over:
                self._over.remove(self._now)
                self._now += 1
            self._changed.notify_all()


class Turn:
    """That of one job, in whose thread it is used; `waited_s` is for how long it waited for others."""

    def __init__(self, turns: Turns, number: int) -> None:
        self._turns, self._number = turns, number
        self.has_begun, self.waited_s = False, 0.0

    def run(self, work: Callable[[], Made]) -> Made:
        """What `work` makes in the thread that serves. Raises: whatever it raises, and as `Turns.ask`."""
        began = time.monotonic()
        made = self._turns.ask(self._number, work)
        self.waited_s += time.monotonic() - began
        self.has_begun = True
        try:
            return made.result()
        finally:
            del made  # it holds what is raised, which holds this frame, and all that the work had on a card

    def end(self) -> None:
        """Lets the next job begin its own; may be called more than once."""
        if self._number >= 0:
            self._turns.end(self._number)
            self._number = -1


def _has_ended(told: _Asked | Future[None]) -> bool:
    """Whether that was a job's end; else runs what was asked for, and keeps nothing of it."""
    if isinstance(told, Future):
        told.result()
        return True
    work, made = told
    try:
        made.set_result(work())
    except BaseException as error:
        if not made.done():
            made.set_exception(error)
        del told, work, made  # as in `Turn.run`
        if not isinstance(error, Exception):
            raise
    return False
