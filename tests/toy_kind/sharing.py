"""An edit that puts other keys and values in the place of a block's own, as attention sharing does."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.edits.capability import Capability
from reelpatch.edits.contract import Forward
from reelpatch.families.lattice import TokenGrid


@dataclass(frozen=True)
class OtherKeysValues:
    """Scales the keys and values of block `block`, and shows them `times` times."""

    block: int = 1
    keys: float = 1.0
    values: float = 1.0
    times: int = 1
    needs: frozenset[Capability] = frozenset({Capability.REPLACE_KEYS_VALUES})
    width: int | None = None
    channels: int | None = None

    def memory_share(self, grid: TokenGrid) -> float:  # noqa: ARG002 -- as `Edit`
        return 0.0

    def begin(self, forward: Forward) -> "OtherKeysValues":  # noqa: ARG002
        return self

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:  # noqa: ARG002
        return tokens

    def keys_values(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        if block != self.block:
            return keys, values
        return torch.cat([self.keys * keys] * self.times, 1), torch.cat(
            [self.values * values] * self.times, 1
        )
