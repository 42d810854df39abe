from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reelpatch.clips.frames import as_video, fit
from reelpatch.edits.capability import Capability
from reelpatch.edits.contract import Edit, Forward
from reelpatch.edits.work import EditSettings, Encode, Material, PlainWork, Prepared
from reelpatch.families.lattice import TokenGrid


@dataclass(frozen=True)
class AddedConstant:
    constant: float
    needs: frozenset[Capability] = frozenset({Capability.ADD_AFTER_BLOCK})
    width: int | None = None
    channels: int | None = None

    def memory_share(self, grid: TokenGrid) -> float:  # noqa: ARG002 -- as `Edit`
        return 0.0

    def begin(self, forward: Forward) -> "AddedConstant | None":  # noqa: ARG002
        return self if self.constant else None

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:  # noqa: ARG002
        # The same for every token, but not for every channel: the head's norm takes away what all channels share.
        ramp = torch.linspace(-1, 1, tokens.shape[-1], device=tokens.device, dtype=tokens.dtype)
        return tokens + self.constant * ramp if index == 1 else tokens


class ToyWork(PlainWork):
    """Sampling begins at noise, and the clip is read for its size alone."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:  # noqa: ARG002 -- as `EditWork`
        channels, frames, rows, columns = encode(as_video(fit(material.clip, material.plan))).shape
        return Prepared((channels, frames, rows, columns))

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:  # noqa: ARG002
        return (AddedConstant(settings.strength),)
