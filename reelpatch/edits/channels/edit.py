"""The source at work beside the latents: its own, and a mask, for the transformer to read with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from reelpatch.edits.capability import Capability
from reelpatch.edits.contract import Forward, Moment
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.sampling.step_range import StepRange
from reelpatch.weights.finite import is_finite


@dataclass(frozen=True, eq=False)
class ChannelEdit:
    """The source in a part of the steps, nothing in the others.

    Shapes: source [C, T, h, w], mask [1, T, h, w], pictures [1, n, width] that the picture encoder made, None without any.
    Raises: `BadInput` for latents that are not finite.
    """

    source: Tensor
    mask: Tensor
    pictures: Tensor | None = None
    window: StepRange = field(default_factory=StepRange)
    needs: frozenset[Capability] = field(default=frozenset({Capability.CONDITION_BY_CHANNELS}), init=False)

    def __post_init__(self) -> None:
        if not is_finite(self.source):
            raise BadInput("the latents of the source are not finite: encode them again.")

    @property
    def width(self) -> None:
        return None

    @property
    def channels(self) -> int:
        return len(self.source)

    def memory_share(self, grid: TokenGrid) -> float:  # noqa: ARG002 -- as `Edit`
        return 0.0

    def begin(self, forward: Forward) -> None:
        """It has nothing to do once the channels are there."""

    def is_shown(self, moment: Moment) -> bool:
        """Whether source and pictures are there at a moment."""
        return self.window.active(moment.step, moment.num_steps)

    def beside(self, latents: Tensor, moment: Moment) -> Tensor:
        """The channels that stand behind those of latents [B, C, T, h, w]: [B, C + 1, T, h, w].

        Raises: `BadInput` for a source of another size.
        """
        channels = torch.cat([self.source, self.mask])
        if self.source.shape != latents.shape[1:]:
            raise BadInput(
                f"the source has the shape {list(self.source.shape)}, but the sample asks for {list(latents.shape[1:])} (channels, "
                "latent frames, rows, columns): encode it at the sample's size, by the VAE of this backbone."
            )
        if not self.is_shown(moment):
            channels = torch.zeros_like(channels)
        return channels.to(latents).expand(len(latents), -1, -1, -1, -1)
