"""What happens at which step: guidance, skipped layers, and the window in which an edit acts."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelpatch.errors import BadInput

if TYPE_CHECKING:  # recipes and plans are read without waiting for torch
    from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance: how far to go from the negative to the positive prompt, and at which steps.

    A scale of 1 takes one pass instead of two. `steps` counts from 0; None means all of them.
    """

    scale: float
    steps: Collection[int] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.scale < math.inf:
            raise BadInput(
                f"the guidance is {self.scale:g}: use 1 for none, or 1.2 to 6.", option="--guidance"
            )

    def enabled(self, step: int) -> bool:
        """Whether this step needs a second pass with the negative prompt."""
        return self.scale != 1 and (self.steps is None or step in self.steps)

    def combine(self, cond: Tensor, uncond: Tensor) -> Tensor:
        """Both predictions, of velocity or of x0, as one."""
        return uncond + self.scale * (cond - uncond)


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
                option="--window",
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


@dataclass(frozen=True)
class SkipLayers:
    """Skip-layer guidance: the negative pass goes around these main blocks, from `start` to `end` of the run."""

    blocks: tuple[int, ...]
    start: float
    end: float

    def __post_init__(self) -> None:
        StepRange(self.start, self.end)  # for its checks

    def active(self, step: int, num_steps: int) -> bool:
        """Whether the blocks are skipped in this step's negative pass; the ends count as in `StepRange`."""
        return StepRange(self.start, self.end).active(step, num_steps)


@dataclass(frozen=True)
class GuidancePlan:
    """Guidance, and the blocks that its negative pass skips: what a guider has to know."""

    guidance: Guidance
    skip_layers: SkipLayers | None = None

    def skipped(self, step: int, num_steps: int) -> tuple[int, ...]:
        """The main blocks that the negative pass of this step goes around."""
        skip = self.skip_layers
        return skip.blocks if skip is not None and skip.active(step, num_steps) else ()

    def describe(self) -> str:
        """One line for the person who chose it."""
        guidance = self.guidance
        if guidance.scale == 1:
            return "no guidance (one pass a step)"
        where = (
            "all steps" if guidance.steps is None else f"steps {', '.join(map(str, sorted(guidance.steps)))}"
        )
        skip = self.skip_layers
        skipped = (
            ""
            if skip is None
            else (
                f"; the negative pass skips block {', '.join(map(str, skip.blocks))} from {skip.start:g} to {skip.end:g}"
            )
        )
        return f"guidance {guidance.scale:g} at {where}{skipped}"
