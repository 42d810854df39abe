"""In-context editing: latents of the source and of references as token segments beside the clip that is being made.

Source: Bernini-R (bytedance), VideoCoF (knightyxp) and their relatives, which embed all latents by the backbone's own
patch embedding and attend over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from reelpatch.edits.carried import TokenSegment
from reelpatch.edits.contract import Capability, Forward
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice, TokenGrid
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.rotary import rotary_angles, source_turn, timed_positions
from reelpatch.sampling.condition_sets import Sees
from reelpatch.sampling.step_range import StepRange

MOST_STREAMS = 5
"""How many streams beside the target Bernini-R was trained with."""


@dataclass(frozen=True, eq=False)
class LatentSegment:
    """Latents that are seen but not changed.

    Shapes: latents `[C, T, h, w]`, normalised as the transformer reads them.
    `times` are the places in time of its latent frames, counted as the target's own are, from 0; None is 0 to T - 1.
    With `is_numbered`, its tokens are turned by its number among those that a pass is shown, as Bernini-R's streams are.
    `is_before` puts its tokens in front of the target's. `is_reference` where it is no clip that is edited. `sigma` is the noise
    level that the model is told of it, None that of the step.
    """

    latents: Tensor
    times: tuple[int, ...] | None = None
    is_numbered: bool = False
    is_before: bool = False
    is_reference: bool = False
    sigma: float | None = None

    def __post_init__(self) -> None:
        frames = self.latents.shape[1] if self.latents.ndim == 4 else 0
        if not frames or not bool(torch.isfinite(self.latents).all()):
            raise BadInput(
                f"a segment's latents have the shape {list(self.latents.shape)} or are not finite: give [channels, frames, "
                "rows, columns] with at least one frame."
            )
        if self.times is not None and len(self.times) != frames:
            raise BadInput(
                f"a segment of {frames} latent frames was given {len(self.times)} places in time: give one for each."
            )


@dataclass(frozen=True, eq=False)
class SegmentsEdit:
    """Segments at work in a part of the steps; the transformer's own patch embedding makes their tokens.

    `lattice` is that of its family.
    """

    segments: Sequence[LatentSegment]
    window: StepRange = field(default_factory=StepRange)
    lattice: Lattice = WAN.lattice
    needs: frozenset[Capability] = field(default=frozenset({Capability.BRING_TOKENS}), init=False)
    width: int | None = field(default=None, init=False)

    @property
    def channels(self) -> int | None:
        return self.segments[0].latents.shape[0] if self.segments else None

    @property
    def num_references(self) -> int:
        """How many of the segments are no clip that is edited."""
        return sum(one.is_reference for one in self.segments)

    def memory_share(self, grid: TokenGrid) -> float:
        """How many tokens come along, for each of the target's."""
        beside = (one.latents.shape[-3:] for one in self.segments)
        return sum(self.lattice.grid(*shape).tokens for shape in beside) / grid.tokens

    def begin(self, forward: Forward) -> RunningSegments | None:
        moment = forward.moment
        seen = [one for one in self.segments if _is_seen(one, moment.sees)]
        if not seen or not self.window.active(moment.step, moment.num_steps):
            return None
        numbers = iter(stream_numbers(sum(one.is_numbered for one in seen)))
        return RunningSegments(
            [
                self._embedded(segment, forward, number, next(numbers) if segment.is_numbered else 0)
                for number, segment in enumerate(_shown(seen, forward), start=1)
            ]
        )

    def _embedded(self, segment: LatentSegment, forward: Forward, number: int, stream: float) -> TokenSegment:
        channels, frames, rows, columns = segment.latents.shape
        if channels != forward.num_channels:
            raise BadInput(
                f"segment {number} has {channels} channels, but the backbone reads {forward.num_channels}: encode it with "
                "the VAE of this backbone."
            )
        positions = timed_positions(
            self.lattice.grid(frames, rows, columns), segment.times, device=forward.tokens.device
        )
        angles = rotary_angles(positions, forward.head_dim)
        angles = angles + source_turn(stream, forward.head_dim, angles)
        return TokenSegment(forward.embed(segment.latents[None]), angles, segment.is_before, segment.sigma)


class RunningSegments:
    """As `RunningEdit`; nothing is added between blocks."""

    def __init__(self, carried: Sequence[TokenSegment]) -> None:
        self._carried = carried

    def segments(self) -> Sequence[TokenSegment]:
        handed, self._carried = self._carried, ()
        return handed

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:  # noqa: ARG002
        return tokens


def stream_numbers(count: int) -> list[float]:
    """Bernini-R's numbers of so many streams, the target's being 0: more than were trained are spread over those that were."""
    if count <= MOST_STREAMS:
        return [float(number) for number in range(1, count + 1)]
    return torch.linspace(1, MOST_STREAMS, count).tolist()


def _is_seen(segment: LatentSegment, sees: Sees) -> bool:
    return sees is Sees.ALL or sees is (Sees.REFERENCES if segment.is_reference else Sees.CLIP)


def _shown(segments: Sequence[LatentSegment], forward: Forward) -> Sequence[LatentSegment]:
    """In a pass that sees a part of a long sample, segments as long as the sample are cut with it; stills stay.

    Raises: `BadInput` for a clip that does not lie beside the sample frame by frame, as VideoCoF's source does not.
    """
    return segments if forward.shown_frames is None else [_cut(one, forward) for one in segments]


def _cut(segment: LatentSegment, forward: Forward) -> LatentSegment:
    num_frames = segment.latents.shape[1]
    if num_frames == 1:
        return segment
    if num_frames != forward.num_frames or segment.times not in (None, tuple(range(num_frames))):
        raise BadInput(
            f"context windows show parts of {forward.num_frames} latent frames, beside which the source's {num_frames} do not "
            "lie one by one: leave the windows out, or use bernini-r-1.3b."
        )
    assert forward.shown_frames is not None
    # Each window counts its places in time from 0, and so does what is beside it.
    return replace(segment, latents=segment.latents[:, list(forward.shown_frames)], times=None)
