"""Pieces of the tokens that a block can be computed over, one after the other, where there is no room for all at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

Hold = Callable[[nn.Module], AbstractContextManager[None]]


def _as_it_is(_layers: nn.Module) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Pieces:
    """How long pieces are, in tokens, and how a host keeps the weights of layers that run once for each of them.

    `at_hand` keeps a part of a block where it computes, `widened` keeps layers in the dtype that they compute in; without
    them a host that sends or widens weights for each call would do so for each piece.
    """

    length: int
    at_hand: Hold = _as_it_is
    widened: Hold = _as_it_is

    def spans(self, num_tokens: int) -> list[slice]:
        """All tokens, in pieces that differ by at most one token."""
        count = max(1, -(-num_tokens // self.length))
        ends = [num_tokens * number // count for number in range(count + 1)]
        return [slice(*pair) for pair in pairwise(ends)]
