"""Attention sharing: two clips are made side by side, as two rows of one batch, and read from each other's self-attention.

Source: InsEdit, "Mutual Context Attention". Exchange stays within the rows with the instruction and within those without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reelpatch.edits.contract import Capability, Forward
from reelpatch.edits.sharing.exchange import exchanged
from reelpatch.edits.sharing.schedule import Policy, Rule, SharingMethod
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.sampling.step_range import StepRange

# Keys and values of two clips are four numbers of a token's width, beside the about nine that a block holds with its own.
_CONCAT_SHARE = 0.5


@dataclass(frozen=True)
class SharingEdit:
    """A pair of clips, the source in the first row of each pair of rows and the target in the second.

    In the first `onset` latent frames the target's tokens are the source's, after every block. With `is_given`, the source
    row is a clip that is there already: it reads nothing of the target.
    """

    method: SharingMethod
    onset: int = 0
    is_given: bool = False
    window: StepRange = field(default_factory=StepRange)
    needs: frozenset[Capability] = field(default=frozenset({Capability.REPLACE_KEYS_VALUES}), init=False)
    width: int | None = field(default=None, init=False)
    channels: int | None = field(default=None, init=False)

    def memory_share(self, grid: TokenGrid) -> float:  # noqa: ARG002 -- as `Edit`
        """The rows are in the batch already; what is read twice as long is not."""
        return _CONCAT_SHARE

    def begin(self, forward: Forward) -> RunningSharing | None:
        moment = forward.moment
        rules: Mapping[int, Rule] = {}
        if self.window.active(moment.step, moment.num_steps):
            rules = self.method.rules_at(moment.sigma, forward.num_blocks)
        if not rules and not self.onset:
            return None
        _check_pairs(moment.conditional)
        return RunningSharing(rules, self._num_tied(forward), self.is_given)

    def _num_tied(self, forward: Forward) -> int:
        """How many tokens, from the first, are the source's: those of latent frames before the onset that are shown."""
        grid = forward.grid
        shown = range(grid.frames) if forward.shown_frames is None else forward.shown_frames
        return sum(frame < self.onset for frame in shown) * (grid.tokens // grid.frames)


@dataclass(frozen=True)
class RunningSharing:
    """As `ReplacesKeysValues`; `num_tied` tokens of the target are the source's."""

    rules: Mapping[int, Rule]
    num_tied: int
    is_given: bool

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:  # noqa: ARG002
        if not self.num_tied:
            return tokens
        pairs = tokens.unflatten(0, (-1, 2))
        target = torch.cat([pairs[:, 0, : self.num_tied], pairs[:, 1, self.num_tied :]], dim=1)
        return torch.stack([pairs[:, 0], target], dim=1).flatten(0, 1)

    def keys_values(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        rule = self.rules.get(block)
        if rule is None:
            return keys, values
        source = rule.policy if rule.is_mutual and not self.is_given else Policy.SELF
        return exchanged(keys, values, source=source, target=rule.policy)


def _check_pairs(conditional: tuple[bool, ...]) -> None:
    """Raises: `BadInput` where the rows of a call are no pairs that both have the instruction, or both have not."""
    if len(conditional) % 2 or conditional[::2] != conditional[1::2]:
        raise BadInput(
            f"a call has {len(conditional)} rows that are no pairs of a source and a target: make latents and texts of two rows "
            "for attention sharing, as the node Paired generation does."
        )
