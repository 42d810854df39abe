"""What happens at which step: guidance and skipped layers."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from reelpatch.errors import BadInput
from reelpatch.sampling.step_range import StepRange

if TYPE_CHECKING:  # imported by a run, and by the recipes that have sources or a projection
    from reelpatch.sampling.condition_sets import Chain, Projection, SourceWeight


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance: how far to go from the negative to the positive prompt, and at which steps.

    A scale of 1 takes one pass instead of two. `steps` counts from 0; None means all of them.
    With `sources`, the way begins at a pass that sees no segment, and goes over what each of them sees to the instruction, which is
    read beside what the last of them sees.
    `projection` shortens and turns the steps of that way.
    """

    scale: float
    steps: Collection[int] | None = None
    sources: tuple[SourceWeight, ...] = ()
    projection: Projection | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.scale < math.inf:
            raise BadInput(
                f"the guidance is {self.scale:g}: use 1 for none, or 1.2 to 6.", setting="guidance"
            )

    def enabled(self, step: int) -> bool:
        """Whether this step goes further than the instruction alone leads."""
        return (self.scale != 1 or bool(self.sources)) and (self.steps is None or step in self.steps)

    def chain(self, step: int) -> Chain:
        """What the passes of this step see, and how they are combined."""
        from reelpatch.sampling.condition_sets import Chain, ConditionSet, Sees

        instructed = ConditionSet(is_instructed=True)
        if not self.enabled(step):
            return Chain(instructed)
        if not self.sources:
            sets = ConditionSet(is_instructed=False), instructed
            return Chain.over(sets, (self.scale,), self.projection)
        ways = [ConditionSet(is_instructed=False, sees=source.sees) for source in self.sources]
        sets = (
            ConditionSet(is_instructed=False, sees=Sees.NOTHING),
            *ways,
            replace(ways[-1], is_instructed=True),
        )
        return Chain.over(sets, (*(source.weight for source in self.sources), self.scale), self.projection)

    def with_scale(self, scale: float) -> Guidance:
        """As a person says otherwise; 1 is one pass a step, whatever else there was."""
        return Guidance(1.0) if scale == 1 else replace(self, scale=scale)

    def at_first(self, steps: int) -> Guidance:
        """With guidance at the first so many steps alone, of those that had it; the others take one pass."""
        first = range(steps) if self.steps is None else (step for step in self.steps if step < steps)
        return replace(self, steps=frozenset(first))

    def times(self, factor: float) -> Guidance:
        """All of its weights so many times as much; none stays none."""
        if self.scale == 1 and not self.sources:
            return self
        sources = tuple(replace(source, weight=factor * source.weight) for source in self.sources)
        return replace(self, scale=factor * self.scale, sources=sources)

    def as_dict(self) -> dict[str, Any]:
        """The record in plain types."""
        record: dict[str, Any] = {
            "scale": self.scale,
            "steps": None if self.steps is None else sorted(self.steps),
        }
        if self.sources:
            record["sources"] = [{"sees": one.sees.value, "weight": one.weight} for one in self.sources]
        if self.projection is not None:
            record["projection"] = asdict(self.projection)
        return record

    def describe(self) -> str:
        """Its scale, and what it goes over on the way."""
        words = f"{self.scale:g}"
        if self.sources:
            ways = ", ".join(f"{source.weight:g} to {source.sees.value}" for source in self.sources)
            words += f" (after {ways})"
        if self.steps is not None:
            words += f" at {len(self.steps)} steps alone" if len(self.steps) != 1 else " at one step alone"
        return words + (", projected" if self.projection is not None else "")


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
    """Guidance, and the blocks that its negative pass skips: what a guider has to know.

    `reference_guidance` takes the place of `guidance` where references are given; None where it is the same. Below `boundary`,
    in parts of 1000 timesteps, a second expert works, with `low_noise_guidance` times as much guidance; None where there is one model.
    """

    guidance: Guidance
    skip_layers: SkipLayers | None = None
    reference_guidance: Guidance | None = None
    boundary: float | None = None
    low_noise_guidance: float = 1.0

    def for_low_noise(self) -> GuidancePlan:
        """The plan of the second expert."""
        return replace(self, guidance=self.guidance.times(self.low_noise_guidance))

    def for_references(self, count: int) -> GuidancePlan:
        """The plan of a run with so many references."""
        return replace(self, guidance=self.reference_guidance) if count and self.reference_guidance else self

    def skipped(self, step: int, num_steps: int) -> tuple[int, ...]:
        """The main blocks that the negative pass of this step goes around."""
        skip = self.skip_layers
        return skip.blocks if skip is not None and skip.active(step, num_steps) else ()

    def describe(self) -> str:
        """One line for the person who chose it."""
        guidance = self.guidance
        if guidance.scale == 1 and not guidance.sources:
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
        other = self.reference_guidance
        referred = "" if other is None else f"; with references guidance {other.describe()}"
        second = (
            ""
            if self.boundary is None
            else f"; two experts, the second below timestep {1000 * self.boundary:g}"
        )
        return f"guidance {guidance.describe()} at {where}{skipped}{referred}{second}"
