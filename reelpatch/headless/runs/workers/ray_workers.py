"""Workers that are actors of Ray: one for each card of the cluster, or where it has none, one for each node.

Actors, not Ray Data: a recipe is loaded once for many jobs that differ in all else, a job that fails is an answer and not the end of
a stage, what a lost node leaves is tried again with the reason kept, and results are files. Ray Data's pools of actors map one
function over equal rows, and repeat or give up whole blocks of them. Bringing up nodes is left to Ray: actors that wait for one are
what its autoscaler goes by.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.batch.verbs import key_of
from reelpatch.headless.runs.workers.left_files import remove_left_by
from reelpatch.headless.runs.workers.ray_actor import RayActor
from reelpatch.headless.runs.workers.results import RemoteResults
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Lost

_WAIT_S, _STOP_S, _REACH_S = 0.5, 15.0, 5.0
_MOST_LOSSES = 3
"""An actor that is lost so often without having ended a job in between is not replaced."""
_SHOWN = 300
LOCAL = "local"


@dataclass
class _Actor:
    handle: Any
    call: Any
    is_here: bool = False
    process: int = 0
    job: Job | None = None
    losses: int = 0


def connect(address: str) -> Any:
    """Ray, connected to a cluster: "local" starts one on this machine, "auto" is the one that this machine belongs to.

    Raises: `BadInput` where Ray is not installed or there is no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody unless you say so
    try:
        import ray
    except ImportError as error:
        raise BadInput(
            'Ray is not installed: install it with `pip install "reelpatch[cluster]"`.', setting="ray"
        ) from error
    if address not in (LOCAL, "auto"):
        _check_reachable(address)
    if not ray.is_initialized():
        try:
            ray.init(
                address=None if address == LOCAL else address,
                log_to_driver=False,
                logging_level=logging.WARNING,
                include_dashboard=False if address == LOCAL else None,
            )
        except Exception as error:  # Ray has errors of its own for each way of failing
            said = " ".join(str(error).split())[:_SHOWN].rstrip(".")
            raise BadInput(
                f"there is no Ray cluster at {address} ({said}): start one with `ray start --head`, or use {LOCAL}.",
                setting="ray",
            ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself ends the process, or waits for minutes, where nothing answers."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if not colon or not port.isdecimal():
            raise BadInput(
                f"{address[:80]!r} is no address of a Ray cluster: write host:6379, ray://host:10001, auto or {LOCAL}.",
                setting="ray",
            )
        socket.create_connection((host, int(port)), _REACH_S).close()
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"no Ray cluster answers at {address} ({getattr(error, 'strerror', None) or error}): see that its head runs, and its port.",
            setting="ray",
        ) from error


class RayWorkers:
    """Actors on the nodes of a cluster; `num_workers` is how many are asked for, None for all that it has room for now."""

    group_of = staticmethod(key_of)

    def __init__(
        self, ray: Any, spelled: Spelled, results: RemoteResults | None = None, num_workers: int | None = None
    ) -> None:
        self._ray, self._spelled, self._results = ray, spelled, results
        self.device, self._needs, room = _room(ray)
        self._names = [f"ray#{number}" for number in range(num_workers or room)]
        self._actors = {name: self._start(name) for name in self._names}

    @property
    def share_files(self) -> bool:
        """Where results lie in a folder of all nodes."""
        return self._results is None

    @property
    def names(self) -> Sequence[str]:
        """By numbers."""
        return self._names

    def begin(self, worker: str, job: Job) -> None:
        """One job at a time goes to an actor, so that nothing waits in it when it is lost."""
        actor = self._actors[worker]
        actor.job, actor.call = job, actor.handle.make.remote(job)

    def events(self) -> Iterator[Event]:
        """What actors tell, and how calls of theirs ended."""
        yield from self._progress()
        calls = {actor.call: name for name, actor in self._actors.items() if actor.call is not None}
        if not calls:
            time.sleep(_WAIT_S)
            return
        ended, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=_WAIT_S)
        yield from self._progress()
        for call in ended:
            yield self._answer(calls[call], call)

    def is_free(self, worker: str) -> bool:
        """They are ours alone."""
        return worker in self._actors

    def stop(self) -> Iterator[Event]:
        """Stops jobs at their next step."""
        busy = {name: actor for name, actor in self._actors.items() if actor.job is not None}
        for actor in busy.values():
            actor.handle.stop.remote()
        until = time.monotonic() + _STOP_S
        while busy and time.monotonic() < until:
            calls = {actor.call: name for name, actor in busy.items()}
            ended, _ = self._ray.wait(list(calls), num_returns=1, timeout=_WAIT_S)
            for call in ended:
                del busy[calls[call]]
                yield self._answer(calls[call], call)

    def close(self) -> None:
        """Ends the actors; the cluster stays as it was."""
        for actor in self._actors.values():
            self._ray.kill(actor.handle)
        self._actors.clear()

    def _start(self, name: str) -> _Actor:
        kind = self._ray.remote(max_restarts=0, max_concurrency=2, **self._needs)(RayActor)
        handle = kind.remote(name, self.device, self._spelled, self._results)
        return _Actor(handle, handle.hello.remote())

    def _answer(self, name: str, call: Any) -> Event:
        actor = self._actors[name]
        actor.call = None
        try:
            found = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            return self._lost(name, actor, error)
        if not actor.is_here:
            actor.is_here = True
            version, actor.process = found
            return Joined(name, version)
        actor.job, actor.losses = None, 0
        return Ended(name, found)

    def _lost(self, name: str, actor: _Actor, error: Exception) -> Lost:
        comes_back = actor.losses + 1 < _MOST_LOSSES
        self._ray.kill(actor.handle)
        if actor.job is not None:
            remove_left_by(actor.process, actor.job)
        del self._actors[name]
        if comes_back:
            self._actors[name] = self._start(name)
            self._actors[name].losses = actor.losses + 1
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next(
            (line for line in reversed(lines) if line.startswith("The actor")), lines[0] if lines else ""
        )
        return Lost(name, (reason or type(error).__name__)[:_SHOWN], comes_back)

    def _progress(self) -> Iterator[Event]:
        asked = [actor.handle.told.remote() for actor in self._actors.values() if actor.job is not None]
        answered, _ = self._ray.wait(asked, num_returns=len(asked), timeout=_WAIT_S) if asked else ([], [])
        for call in answered:
            try:
                yield from self._ray.get(call)
            except self._ray.exceptions.RayError:  # its job tells of that
                continue


def _room(ray: Any) -> tuple[str, dict[str, float], int]:
    """The device of actors, what each needs, and how many the cluster has room for."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cards = sum(int(node.get("GPU", 0)) for node in nodes)
    if cards:
        return "cuda", {"num_gpus": 1, "num_cpus": 1}, cards
    cores = [node["CPU"] for node in nodes if node.get("CPU", 0) >= 1]
    if not cores:
        raise BadInput(
            "the Ray cluster has neither cards nor processors to give: see `ray status`.", setting="ray"
        )
    return "cpu", {"num_cpus": min(cores)}, sum(int(one // min(cores)) for one in cores)
