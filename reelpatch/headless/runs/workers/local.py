"""Workers that are processes of this machine, one for each device; one that is killed is started anew."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, cast

import torch

from reelpatch.errors import BadInput
from reelpatch.headless.models.device_choice import choose_device
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.batch.verbs import key_of
from reelpatch.headless.runs.workers.left_files import remove_left_by
from reelpatch.headless.runs.workers.local_process import serve
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Lost

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

_WAIT_S = 0.5  # for something to happen
_STOP_S = 15.0  # for a stopped job to put away what it has finished
_COPIED = "reelpatch.headless.runs.workers.local_copies"
"""What workers on a CPU are copies of: by name, as this process runs no models."""
_MOST_LOSSES = 3
"""A worker that is lost so often without having ended a job in between is not started anew."""


def check_devices(names: Sequence[str]) -> str:
    """The type of all devices. Raises: `BadInput` for one that is unknown or not there, and for several types."""
    try:
        types = {choose_device(name).type for name in names}
    except BadInput as error:
        raise BadInput(str(error).replace("(--device)", "(--devices)")) from error
    if len(types) > 1:
        raise BadInput(
            f"the devices {','.join(names)} are of several types, whose results differ: name devices of one type.",
            setting="devices",
        )
    cards = [name for name in names if torch.device(name).type != "cpu"]
    if len(set(cards)) < len(cards):
        raise BadInput(
            f"the devices {','.join(names)} name a card twice, but one worker uses all of it: name each once.",
            setting="devices",
        )
    return types.pop()


@dataclass
class _Process:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    losses: int = 0


class LocalWorkers:
    """One process for each of `devices`. A CPU that stands there several times is shared among them."""

    group_of = staticmethod(key_of)
    share_files = True

    def __init__(self, devices: Sequence[str], spelled: Spelled) -> None:
        same = {name: list(devices).count(name) for name in devices}
        counted = {name: iter(range(number)) for name, number in same.items()}
        self._devices = {
            name if same[name] == 1 else f"{name}#{next(counted[name])}": name for name in devices
        }
        num_cpus = sum(torch.device(name).type == "cpu" for name in devices)
        is_told = "OMP_NUM_THREADS" in os.environ
        self._num_threads = None if is_told or not num_cpus else max(1, (os.cpu_count() or 1) // num_cpus)
        self._spelled = spelled
        self._context = _context_for(devices)
        self._processes = {worker: self._start(worker) for worker in self._devices}

    @property
    def names(self) -> Sequence[str]:
        """The devices, numbered where one stands several times."""
        return list(self._devices)

    def begin(self, worker: str, job: Job) -> None:
        """Sends the job; where its process is gone, that is told with the next events."""
        one = self._processes[worker]
        one.job = job
        with suppress(OSError):
            one.pipe.send(job)

    def events(self) -> Iterator[Event]:
        """Of those that have something to tell; that of a process which ended comes before its loss."""
        yield from self._events(_WAIT_S)

    def is_free(self, worker: str) -> bool:
        """They are ours alone."""
        return worker in self._processes

    def stop(self) -> Iterator[Event]:
        """Ends idle workers at once, and others when they have put away what they finished."""
        busy = {name: one for name, one in self._processes.items() if one.job is not None}
        for one in busy.values():
            one.process.terminate()
        until = time.monotonic() + _STOP_S
        while any(one.job is not None for one in busy.values()) and time.monotonic() < until:
            for event in self._events(_WAIT_S, starts_anew=False):
                if not isinstance(event, Joined):
                    yield event

    def close(self) -> None:
        """Ends all processes, and takes away what those that had to be killed left half done."""
        for one in self._processes.values():
            one.pipe.close()
        for one in self._processes.values():
            if one.job is not None:
                one.process.kill()
            one.process.join(_STOP_S)
            if one.process.is_alive():
                one.process.kill()
                one.process.join()
            if one.job is not None and one.process.pid is not None:
                remove_left_by(one.process.pid, one.job)
        self._processes.clear()

    def _start(self, worker: str) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve,
            args=(theirs, worker, self._devices[worker], self._num_threads, self._spelled),
            name=f"reelpatch {worker}",
            daemon=True,
        )
        with _deaf_to_interrupts():
            process.start()
        theirs.close()
        return _Process(process, ours)

    def _events(self, timeout_s: float, *, starts_anew: bool = True) -> Iterator[Event]:
        pipes = {one.pipe: worker for worker, one in self._processes.items()}
        for pipe in wait(list(pipes), timeout_s):
            worker = pipes[cast(Connection, pipe)]
            yield self._heard(worker, starts_anew=starts_anew)

    def _heard(self, worker: str, *, starts_anew: bool) -> Event:
        one = self._processes[worker]
        try:
            event: Event = one.pipe.recv()
        except (EOFError, OSError):
            return self._lost(worker, one, starts_anew=starts_anew)
        if isinstance(event, Ended):
            one.job, one.losses = None, 0
        return event

    def _lost(self, worker: str, one: _Process, *, starts_anew: bool) -> Lost:
        one.process.join(_STOP_S)
        one.pipe.close()
        if one.job is not None and one.process.pid is not None:
            remove_left_by(one.process.pid, one.job)
        comes_back = starts_anew and one.losses + 1 < _MOST_LOSSES
        del self._processes[worker]
        if comes_back:
            self._processes[worker] = self._start(worker)
            self._processes[worker].losses = one.losses + 1
        return Lost(worker, _ending(one.process.exitcode), comes_back)


def _context_for(devices: Sequence[str]) -> "SpawnContext | ForkServerContext":
    """How processes begin: on a CPU as copies of one that has imported all they need; a copy has no use of a card's driver."""
    is_cpu = all(torch.device(name).type == "cpu" for name in devices)
    if not is_cpu or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_COPIED])
    return context


def _ending(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None or code >= 0:
        return f"its process ended with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    more = ", as systems do where memory ends" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{more}"


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Processes started inside do not hear Ctrl-C, from their first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
