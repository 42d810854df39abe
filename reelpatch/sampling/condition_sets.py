"""What the passes of a step see, and how their predictions become one: a chain from the least to the most.

Source: Bernini-R (bytedance/Bernini), whose `rv2v` goes from nothing over the clip and the references to the instruction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # recipes and plans are read without waiting for torch
    from torch import Tensor

_PER_FRAME = (-4, -2, -1)  # channels, rows and columns of [..., C, T, h, w]


class Sees(Enum):
    """Which of the segments beside the sample a pass is shown."""

    NOTHING = "nothing"
    CLIP = "the clip"
    REFERENCES = "the references"
    ALL = "the clip and the references"


@dataclass(frozen=True)
class ConditionSet:
    """What one pass is shown: the instruction or the negative prompt, and which segments."""

    is_instructed: bool
    sees: Sees = Sees.ALL


@dataclass(frozen=True)
class SourceWeight:
    """How far to go from what was seen before to what is seen now, without the instruction."""

    sees: Sees
    weight: float


@dataclass(frozen=True)
class Projection:
    """Adaptive projected guidance: a step between two predictions of x0, cut to a length and mostly across the prediction.

    Each latent frame's step is at most `longest` long, and of its part along the prediction only `parallel` is kept.
    Source: arXiv 2410.02416, per frame as Bernini-R does it.
    """

    parallel: float
    longest: float

    def of(self, step: Tensor, prediction: Tensor) -> Tensor:
        """The step to take in place of `step`, which led to `prediction`. Shapes: all [..., C, T, h, w], x0."""
        step = step * (self.longest / _length(step)).clamp(max=1)
        direction = prediction.double()
        direction = direction / _length(direction).clamp(min=1e-12)
        along = ((step.double() * direction).sum(dim=_PER_FRAME, keepdim=True) * direction).to(step.dtype)
        return step - along + self.parallel * along


def _length(latents: Tensor) -> Tensor:
    """Of each latent frame; [..., 1, T, 1, 1]."""
    return latents.square().sum(dim=_PER_FRAME, keepdim=True).sqrt()


@dataclass(frozen=True)
class Link:
    """One step of a chain, `weight` times as far as from one prediction to the next."""

    origin: ConditionSet
    end: ConditionSet
    weight: float


@dataclass(frozen=True)
class Chain:
    """The passes of a step that are needed, and how they are combined; links without any weight are left out."""

    start: ConditionSet
    links: tuple[Link, ...] = ()
    projection: Projection | None = None

    @classmethod
    def over(
        cls, sets: Sequence[ConditionSet], weights: Sequence[float], projection: Projection | None
    ) -> Chain:
        """The chain from the first of `sets` to the last; `weights` are those of the ways between them."""
        links: list[Link] = []
        for origin, end, weight in zip(sets, sets[1:], weights, strict=False):
            joined = links[-1] if links else None
            if projection is None and joined is not None and joined.weight == weight and joined.end == origin:
                links[-1] = Link(joined.origin, end, weight)  # two ways of one weight are one
            else:
                links.append(Link(origin, end, weight))
        start = sets[0]
        if projection is None and links and links[0].weight == 1:
            start = links.pop(0).end
        return cls(start, tuple(link for link in links if link.weight), projection)

    @property
    def sets(self) -> tuple[ConditionSet, ...]:
        """What has to be computed, each once, in order."""
        ends = [one for link in self.links for one in (link.origin, link.end)]
        return tuple(dict.fromkeys([self.start, *ends]))

    def combine(self, predictions: Mapping[ConditionSet, Tensor]) -> Tensor:
        """All predictions as one: of velocity or of x0, of x0 alone with a projection. Shapes: all the same."""
        result = predictions[self.start]
        for link in self.links:
            step = predictions[link.end] - predictions[link.origin]
            if self.projection is not None:
                step = self.projection.of(step, predictions[link.end])
            result = result + link.weight * step
        return result
