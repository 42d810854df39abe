"""The adapter at work: the source in front of the target, told where to change by its mask, and references behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from reelpatch.edits.adapter.module import PATCH, AdapterModule
from reelpatch.edits.capability import Capability
from reelpatch.edits.carried import TokenSegment
from reelpatch.edits.contract import Forward
from reelpatch.edits.segments.edit import RunningSegments
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.rotary import rotary_angles, timed_positions
from reelpatch.sampling.condition_sets import Sees
from reelpatch.sampling.step_range import StepRange
from reelpatch.weights.finite import is_finite

CLEAN = 0.0
"""The noise level that the model is told of the source and of references."""


@dataclass(frozen=True, eq=False)
class SeenByAdapter:
    """What an adapter sees. Shapes: source and mask `[C, T, h, w]`, references `[C, 1, h, w]`, all of the target's size.

    Raises: `BadInput` for latents that are not finite.
    """

    source: Tensor
    mask: Tensor
    references: Sequence[Tensor] = ()

    def __post_init__(self) -> None:
        if not all(is_finite(one) for one in (self.source, self.mask, *self.references)):
            raise BadInput(
                "the latents of the source, its mask or a reference are not finite: encode them again."
            )


@dataclass(frozen=True, eq=False)
class AdapterEdit:
    """Source, mask and references in a part of the steps, by the embeddings of `module`."""

    module: AdapterModule
    seen: SeenByAdapter
    window: StepRange = field(default_factory=StepRange)
    needs: frozenset[Capability] = field(default=frozenset({Capability.BRING_TOKENS}), init=False)

    @property
    def width(self) -> int:
        return self.module.width

    @property
    def channels(self) -> int:
        return self.module.channels

    def memory_share(self, grid: TokenGrid) -> float:
        """How many tokens come along, for each of the target's."""
        return 1 + len(self.seen.references) / grid.frames

    def begin(self, forward: Forward) -> RunningSegments | None:
        moment = forward.moment
        if moment.sees is Sees.NOTHING or not self.window.active(moment.step, moment.num_steps):
            return None
        _check_fit(self, forward)
        references = self.seen.references if moment.sees is Sees.ALL else ()
        behind = [self._reference(forward, number, one) for number, one in enumerate(references)]
        return RunningSegments([self._source(forward), *behind])

    def _source(self, forward: Forward) -> TokenSegment:
        shown = slice(None) if forward.shown_frames is None else list(forward.shown_frames)
        source, mask = (
            self.module.embed(part, latents[:, shown], forward.tokens)
            for part, latents in (("source", self.seen.source), ("mask", self.seen.mask))
        )
        times = self.module.layout.source_times(forward.grid.frames)
        angles = _angles(forward.grid, times, forward)
        return TokenSegment(source + mask, angles, is_before=True, sigma=CLEAN)

    def _reference(self, forward: Forward, number: int, latents: Tensor) -> TokenSegment:
        grid = TokenGrid(1, forward.grid.rows, forward.grid.columns)
        time = self.module.layout.reference_time(forward.grid.frames, number)
        tokens = self.module.embed("reference", latents, forward.tokens)
        return TokenSegment(tokens, _angles(grid, (time,), forward), sigma=CLEAN)


def _angles(grid: TokenGrid, times: Sequence[int], forward: Forward) -> Tensor:
    return rotary_angles(timed_positions(grid, times, device=forward.tokens.device), forward.head_dim)


def _check_fit(edit: AdapterEdit, forward: Forward) -> None:
    """Raises: `BadInput` for a backbone or a clip that the adapter was not made for."""
    module, width = edit.module, forward.tokens.shape[-1]
    if (width, forward.num_channels) != (module.width, module.channels):
        raise BadInput(
            f"the edit adapter is {module.width} wide for {module.channels} channels, and the backbone {width} wide for "
            f"{forward.num_channels}: choose the backbone that it was trained on."
        )
    source = tuple(edit.seen.source.shape)
    _, down, across = PATCH
    cells = (forward.whole_grid.frames, down * forward.grid.rows, across * forward.grid.columns)
    if source[0] != module.channels or source[1:] != cells or edit.seen.mask.shape != edit.seen.source.shape:
        raise BadInput(
            f"the source has the shape {list(source)}, but the sample asks for {[module.channels, *cells]} (channels, latent "
            "frames, rows, columns): encode it at the sample's size, by the VAE of this backbone."
        )
