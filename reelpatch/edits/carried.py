"""Token segments on their way through a transformer: beside the sample's tokens in every block, and cut off at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class TokenSegment:
    """Tokens that an edit brings along: the sample's tokens see them, and they see those.

    Shapes: tokens `[B or 1, n, D]`; angles `[n, E / 2]`, the rotary angle of every pair of a head, in radians.
    `is_before` puts them in front of the sample's tokens, which matters to nothing but the order of sums. `sigma` is the noise
    level that the model is told of them, None that of the step.
    """

    tokens: Tensor
    angles: Tensor
    is_before: bool = False
    sigma: float | None = None


@dataclass(frozen=True, eq=False)
class CarriedTokens:
    """All segments of a forward around the sample's tokens, of which there are `num_own`."""

    segments: Sequence[TokenSegment]
    num_own: int

    @property
    def num_before(self) -> int:
        """How many tokens stand in front of the sample's."""
        return sum(one.tokens.shape[1] for one in self.segments if one.is_before)

    def placed(self) -> CarriedTokens:
        """The same, once all are in the stream: where they stand in it, without tokens that would be held on to the last block."""
        empty = [
            replace(one, tokens=one.tokens.new_empty(1, one.tokens.shape[1], 0)) for one in self.segments
        ]
        return replace(self, segments=empty)

    def around(self, own: Tensor, others: Sequence[Tensor], *, dim: int) -> Tensor:
        """What belongs to the sample's tokens, `own`, with what belongs to each segment around it."""
        pairs = list(zip(self.segments, others, strict=True))
        before = [other for one, other in pairs if one.is_before]
        after = [other for one, other in pairs if not one.is_before]
        return torch.cat([*before, own, *after], dim=dim)

    def joined(self, tokens: Tensor) -> Tensor:
        """The stream of the first block, from the sample's tokens `[B, N, D]`."""
        others = [one.tokens.to(tokens).expand(len(tokens), -1, -1) for one in self.segments]
        return self.around(tokens, others, dim=1)

    def own(self, stream: Tensor) -> Tensor:
        """The sample's tokens in a stream."""
        return stream[:, self.num_before : self.num_before + self.num_own]

    def with_own(self, stream: Tensor, tokens: Tensor) -> Tensor:
        """The stream with other tokens of the sample in it."""
        end = self.num_before + self.num_own
        return torch.cat([stream[:, : self.num_before], tokens, stream[:, end:]], dim=1)


class AfterBlock(Protocol):
    """As `RunningEdit`."""

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor: ...


def carried_on(
    running: AfterBlock,
    carried: CarriedTokens,
    index: int,
    stream: Tensor,
    *,
    was_skipped: bool,
    is_last: bool,
) -> Tensor:
    """The stream that goes on after a block, in which edits change the sample's tokens alone; only those after the last one."""
    if not carried.segments:
        return running.after_block(index, stream, was_skipped=was_skipped)
    own = carried.own(stream)
    tokens = running.after_block(index, own, was_skipped=was_skipped)
    if is_last:
        return tokens
    return stream if tokens is own else carried.with_own(stream, tokens)


def modulation_of_all(
    carried: CarriedTokens,
    own: Tensor,
    at: Callable[[float], Tensor],
    sigma: float,
    *,
    is_by_token: bool,
) -> Tensor:
    """The modulation of all tokens of a forward at `sigma`; that of the sample, `own`, where it serves for all of them.

    Shapes: own `[B, 6, D]`, or `[B, g, 6, D]` for g groups of equally many tokens; `at`, of a noise level, `[1, 6, D]`; result as
        `own`, or `[B, G, 6, D]` for G groups. `is_by_token` makes each token a group, otherwise groups are as large as can be.
    """
    by_group = own if own.ndim == 4 else own.unsqueeze(1)
    if by_group.shape[1] == 1 and all(one.sigma is None for one in carried.segments):
        return own
    group = carried.num_own // by_group.shape[1]
    lengths = [one.tokens.shape[1] for one in carried.segments]
    unit = 1 if is_by_token else gcd(group, *lengths)
    others = [
        at(sigma if one.sigma is None else one.sigma).to(own).expand(len(own), length // unit, -1, -1)
        for one, length in zip(carried.segments, lengths, strict=True)
    ]
    return carried.around(by_group.repeat_interleave(group // unit, dim=1), others, dim=1)
