"""The part of a run in which something acts, by its steps and by its noise levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelpatch.errors import BadInput

if TYPE_CHECKING:  # recipes and plans are read without waiting for torch
    from torch import Tensor


def check_half_size_steps(steps: int, run_steps: int) -> None:
    """Raises: BadInput for so many first steps at half the size as leave none for the full one."""
    if not 1 <= steps < run_steps:
        raise BadInput(
            f"the first {steps} steps were asked for at half the size, but the run has {run_steps}, of which the last is made "
            f"at full size: use 1 to {run_steps - 1}.",
            setting="half_size_steps",
        )


@dataclass(frozen=True)
class NoiseRange:
    """The sigmas above `low`, up to and including `high`."""

    low: float
    high: float

    def __contains__(self, sigma: float) -> bool:
        return self.low < sigma <= self.high


@dataclass(frozen=True)
class StepRange:
    """The part of a run in which something acts, from `start` to `end` as fractions of its steps.

    Step i of n stands at i/n, and both ends belong to the window. So a window from 0 always has the first step,
    and one that falls between two steps is empty.

    Source: kijai/ComfyUI-WanVideoWrapper of August 2025, for VACE's and SLG's start and end.
    """

    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end <= 1:
            raise BadInput(
                f"the window goes from {self.start:g} to {self.end:g}, but it is a start and an end, in this order, "
                "between 0 (first step) and 1 (last step): use 0 and 1 for the whole run.",
                setting="window",
            )

    def active(self, step: int, num_steps: int) -> bool:
        """Whether the step, counted from 0, is within the window."""
        return self.start <= step / num_steps <= self.end

    def noise_range(self, sigmas: Tensor) -> NoiseRange:
        """The window as noise levels, for a host that knows the sigma of a call but not its step.

        A level counts as the step it is used in, down to where the next step starts: so the timesteps that a
        solver cuts to whole numbers, and the inner levels of solvers with several calls a step, fall right.

        Shapes: sigmas [num_steps + 1], falling, as the solver gets them.
        Guarantees: agrees with `active` as long as no two steps share a whole timestep.
        """
        levels: list[float] = sigmas.tolist()
        num_steps = len(levels) - 1
        steps = [step for step in range(num_steps) if self.active(step, num_steps)]
        if not steps:
            return NoiseRange(0.0, 0.0)
        return NoiseRange(levels[steps[-1] + 1], levels[steps[0]] if steps[0] else math.inf)
