"""Pairs made by several processes of this machine, each with models of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from reelpatch.errors import BadInput
from reelpatch.headless.models.device_choice import choose_device
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.pair_set.making import PairRequest
from reelpatch.headless.runs.workers.dispatch import dispatch_jobs
from reelpatch.headless.runs.workers.local import LocalWorkers
from reelpatch.progress import OnProgress

_MOST_PROCESSES = 64


def devices_for(num_processes: int, name: str) -> list[str]:
    """The device of each process: a CPU is shared among them, and of cards each has one.

    Raises: `BadInput` for fewer cards, and where one of several was named.
    """
    if not 1 <= num_processes <= _MOST_PROCESSES:
        raise BadInput(f"{num_processes} is not from 1 to {_MOST_PROCESSES} processes.", setting="jobs")
    device = choose_device(name)
    if num_processes == 1 or device.type == "cpu":
        return [name if num_processes == 1 else "cpu"] * num_processes
    if ":" in name:
        raise BadInput(
            f"the device {name} is one card, which {num_processes} processes cannot share: leave the number out, or use one process.",
            setting="device",
        )
    cards = torch.cuda.device_count() if device.type == "cuda" else 1
    if num_processes > cards:
        raise BadInput(
            f"{num_processes} processes were asked for, but {cards} {device.type} devices are there, of which each process has one: "
            f"use at most {cards}.",
            setting="jobs",
        )
    return [f"{device.type}:{number}" for number in range(num_processes)]


def make_side_by_side(
    requests: Sequence[PairRequest], devices: Sequence[str], on_progress: OnProgress, spelled: Spelled
) -> None:
    """Makes all pairs; one that cannot be made stops no other.

    Raises: `BadInput` for the first that could not be made. `KeyboardInterrupt` where it is stopped.
    """
    jobs = [Job(request.number + 1, "pair", request) for request in requests]
    workers = LocalWorkers(devices, spelled)
    dispatch_jobs(jobs, workers, _Folder(requests[0].target.parent), _OneLine(on_progress))
    wrong = [job for job in jobs if not job.is_done]
    if wrong:
        raise BadInput(
            f"{len(wrong)} of {len(jobs)} pairs could not be made, the first of them number {wrong[0].line}: {wrong[0].said}"
        )


class _Folder:
    """In place of a report: the pairs themselves say what is done."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, jobs: Sequence[Job], *, ended: Job | None = None, is_last: bool = False) -> None:
        """Nothing."""


class _OneLine:
    """How many pairs are made, and how long the others will take."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress

    def jobs(self, done: int, total: int, left: str) -> None:
        """As the view of `dispatch_jobs`."""
        self._on_progress(f"pairs{f', {left} left' if left else ''}", done, total)

    def worker(self, name: str, stage: str, done: int, total: int) -> None:
        """Nothing: a line is for all of them."""
