"""Training that ends at a given time with finished weights, for a GPU that is there for minutes.

As many steps are taken as fit: the learning rate follows the share of the time that is used, and weights are averaged over the same
share of the steps however many there are. What a step is trained on depends on the scenes that are there by then, so that, unlike
`run.train`, no such run can be taken up again.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import psutil
import torch
from torch import Tensor, nn

from training import run
from training.captured import Captured

log = logging.getLogger("reelpatch.training")

WARMUP_STEPS = 100
AVERAGING = 18  # the power of Karras et al. 2024, 'Analyzing and improving the training dynamics', section 3.1: about the last tenth counts
KEEP_EVERY_S = 60.0
LOOK_EVERY_S = 8.0  # for further scenes

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Draw = tuple[str, list[dict[str, Tensor]]]
"""The kind of a step, and the tensors of its parts: for one kind they have the same names and shapes at every step."""


class Stage(Protocol):
    """What a training gives: the material of a step, drawn by its number, and the loss on it, in which nothing waits for the device."""

    def draw(self, step: int) -> Draw: ...

    def loss(self, kind: str, parts: list[dict[str, Tensor]]) -> Tensor: ...


class Folder(Protocol[T_co]):
    """Scenes that come in while a training goes on: those that are there, or None while they are too few to begin."""

    def ready(self) -> T_co | None: ...


@dataclass(frozen=True)
class Options:
    """How a training by time is run, as its command was told."""

    ends_at: float  # of the monotonic clock
    out: Path
    factor: int
    rate: float
    captured: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> Options | None:
        """None where no time was given."""
        if options.finish_in is None:
            return None
        used_s = time.time() - psutil.Process().create_time()
        ends_at = time.monotonic() + options.finish_in - used_s
        return cls(ends_at, options.out, options.factor, options.rate, options.captured)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a training by time, for the command of a training by steps."""
    group = parser.add_argument_group(
        "by time", "to finish in so many seconds, on scenes that `python -m training.ahead FOLDER` makes"
    )
    group.add_argument("--finish-in", type=float, metavar="SECONDS")
    group.add_argument("--out", type=Path, default=Path("trained"), help="where the finished file goes")
    group.add_argument(
        "--factor", type=int, default=1, help="this times the examples a step has on a CPU (default 1)"
    )
    group.add_argument("--rate", type=float, default=1.0, help="this times the learning rate of matrices")
    group.add_argument("--captured", action="store_true", help="record steps as CUDA graphs")


class Arriving(Generic[T]):
    """The scenes of a folder, looked for every few seconds."""

    def __init__(self, folder: Folder[T], *, ends_at: float) -> None:
        self._folder, self._ends_at, self._looked_at = folder, ends_at, -math.inf
        self._scenes: T | None = None

    def __call__(self) -> T:
        """Raises: `RuntimeError` where the time is over before there are scenes to begin with."""
        if self._scenes is not None and time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return self._scenes
        while (scenes := self._folder.ready()) is None:
            if time.monotonic() > self._ends_at:
                raise RuntimeError("no scenes came in: run `python -m training.ahead` on the same folder.")
            time.sleep(0.25)
        self._scenes, self._looked_at = scenes, time.monotonic()
        return scenes


def averaging(step: int) -> float:
    """What the average keeps of itself at a step: always over the same share of all steps so far."""
    return (1 - 1 / (step + 1)) ** AVERAGING


def train(
    module: nn.Module,
    optimizer: run.Matrices,
    stage: Stage,
    options: Options,
    *,
    keep: Callable[[run.Average], None],
) -> float:
    """Train until the time is over; `keep` gets the averaged weights now and then, and at the end. Returns the steps per second of the second half.

    With `captured` the loss of every kind of step is recorded once as a CUDA graph.
    Raises: `FloatingPointError` for a loss that is not finite.
    """
    ends_at, captured = options.ends_at, options.captured
    average = run.Average(module)
    stage.draw(0)  # waits for the first scenes
    began = kept_at = time.monotonic()
    compute = Captured(module, stage.loss) if captured else stage.loss
    step, loss, half = 0, torch.zeros(()), (0, began)
    while (now := time.monotonic()) < ends_at:
        share = (now - began) / (ends_at - began)
        if share < 0.5:
            half = step, now
        loss = compute(*stage.draw(step))
        if not captured:
            loss.backward()
        optimizer.step(min((step + 1) / WARMUP_STEPS, run.fall(share)))
        if not captured:
            optimizer.clear()
        average.update(averaging(step))
        if step % 100 == 0:
            log.info("step %d, %.2f of the time, loss %.5f", step, share, loss.item())
        if now - kept_at > KEEP_EVERY_S:
            check_finite(loss)
            keep(average)
            kept_at = now
        step += 1
    check_finite(loss)
    pace = (step - half[0]) / (time.monotonic() - half[1])
    keep(average)
    log.info("%d steps in %.1f s, %.1f a second at last", step, time.monotonic() - began, pace)
    return pace


def check_finite(loss: Tensor) -> None:
    """Raises: `FloatingPointError` for one that is not."""
    if not math.isfinite(loss.item()):
        raise FloatingPointError("the loss is not finite: try a lower --rate.")
