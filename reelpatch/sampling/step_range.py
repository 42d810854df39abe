"""The part of a run in which something acts, by its steps."""

from __future__ import annotations

from dataclasses import dataclass

from reelpatch.errors import BadInput


def check_half_size_steps(steps: int, run_steps: int) -> None:
    """Raises: BadInput for so many first steps at half the size as leave none for the full one."""
    if not 1 <= steps < run_steps:
        raise BadInput(
            f"the first {steps} steps were asked for at half the size, but the run has {run_steps}, of which the last is made "
            f"at full size: use 1 to {run_steps - 1}.",
            setting="half_size_steps",
        )


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
