"""The VACE edit at work: each context is a stream of its own through the edit module, and hints add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch.nn.functional as F
from torch import Tensor

from reelpatch.edits.contract import Capability, Forward, RunningEdit, RunningEdits
from reelpatch.edits.vace.module import VaceConfig, VaceModule
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.sizes import named_widths
from reelpatch.sampling.step_range import StepRange

# ComfyUI counts this much more memory for a merged VACE model than for its backbone (`supported_models.WAN21_Vace`).
STREAM_MEMORY = 0.2


@dataclass(frozen=True, eq=False)
class VaceContext:
    """What one VACE stream reads, how strongly it speaks, and when.

    Shapes: context `[96, r + T, h, w]` with its r references in front. It may have fewer frames than the sample,
    when another context brings more references: zero frames go in front.
    `strength` scales the hints; a sequence gives every VACE layer its own.
    """

    context: Tensor
    strength: float | Sequence[float] = 1.0
    window: StepRange = field(default_factory=StepRange)

    def __post_init__(self) -> None:
        given = [self.strength] if isinstance(self.strength, int | float) else self.strength
        bad = next((strength for strength in given if not math.isfinite(strength)), None)
        if bad is not None:
            raise BadInput(f"the strength is {bad}, but it has to be a number: 1 is as published, 0 is off.")

    def strengths(self, num_layers: int) -> tuple[float, ...]:
        """One strength for each VACE layer. Raises: `BadInput` when a sequence has another length."""
        if isinstance(self.strength, int | float):
            return (float(self.strength),) * num_layers
        if len(self.strength) != num_layers:
            raise BadInput(
                f"{len(self.strength)} strengths were given, but the edit module has {num_layers} layers: "
                f"give one number, or one for each layer."
            )
        return tuple(float(strength) for strength in self.strength)


@dataclass(frozen=True, eq=False)
class VaceEdit:
    """Hints of one edit module for any number of contexts, each a stream of its own; hints add up.

    With `skip_hints`, a pass that goes around a main block goes without the hint after it too, as
    WanVideoWrapper has it; without, the hint stays, as ComfyUI's own VACE model has it.
    """

    module: VaceModule
    contexts: Sequence[VaceContext]
    skip_hints: bool = False
    needs: frozenset[Capability] = field(default=frozenset({Capability.ADD_AFTER_BLOCK}), init=False)

    @property
    def width(self) -> int:
        return self.module.config.dim

    @property
    def channels(self) -> int:
        return WAN.lattice.channels

    def memory_share(self, grid: TokenGrid) -> float:  # noqa: ARG002 -- the same at every size
        return STREAM_MEMORY * len(self.contexts)

    def begin(self, forward: Forward) -> RunningEdit | None:
        config = self.module.config
        _check_fit(config, forward)
        streams: list[_Stream] = []
        for number, context in enumerate(self.contexts, start=1):
            strengths = context.strengths(len(config.layers))
            frames = _padded(context.context, forward.whole_grid, config.context_channels, number)
            if forward.shown_frames is not None:
                frames = frames[:, list(forward.shown_frames)]
            if any(strengths) and context.window.active(forward.moment.step, forward.moment.num_steps):
                streams.append(_Stream(self.module, forward, frames, strengths, skip_hints=self.skip_hints))
        return RunningEdits(streams) if streams else None


class _Stream:
    """One context on its way through the edit module, one block behind the main stream."""

    def __init__(
        self,
        module: VaceModule,
        forward: Forward,
        context: Tensor,
        strengths: tuple[float, ...],
        *,
        skip_hints: bool,
    ) -> None:
        self.module = module
        self.strengths = strengths
        self.skip_hints = skip_hints
        # Of the tokens only the sum with the context is needed; held on, they would fill memory to the last block.
        self.told = replace(forward, tokens=forward.tokens.new_empty(0))
        context_BND = forward.here(module.embed(context, forward.text))
        self.c_BND = module.block(0).before_proj(context_BND) + forward.tokens

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:
        layers = self.module.config.layers
        if index not in layers or not any(self.strengths[layers.index(index) :]):
            return tokens
        position, told = layers.index(index), self.told
        block, strength = self.module.block(position), self.strengths[position]
        self.c_BND = block(
            self.c_BND,
            told.modulation,
            told.text,
            told.rotary,
            attention=told.attention,
            rotate=told.rotate,
            pieces=told.pieces,
            among=told.among,
        )
        if not strength or (was_skipped and self.skip_hints):
            return tokens
        stream_BND = self.c_BND.to(told.text.dtype)
        if not any(self.strengths[position + 1 :]):
            self.c_BND = stream_BND[:, :0]  # nothing reads it any more
        hint_BND = block.after_proj(stream_BND)
        return tokens + hint_BND.mul_(strength).type_as(tokens)


def _check_fit(config: VaceConfig, forward: Forward) -> None:
    width = forward.tokens.shape[-1]
    if width != config.dim:
        raise BadInput(
            f"the edit module is {config.dim} wide and the backbone {width}: they belong to different models "
            f"({named_widths()}); choose a pair of the same size."
        )
    if config.layers[-1] >= forward.num_blocks:
        raise BadInput(
            f"the edit module adds to block {config.layers[-1]}, but the backbone ends at block "
            f"{forward.num_blocks - 1}: choose the backbone that the module was made for."
        )


def _padded(context: Tensor, grid: TokenGrid, channels: int, number: int) -> Tensor:
    """The context at the sample's length. Raises: `BadInput` for another size, or more frames than the sample."""
    rows, columns = (WAN.lattice.patch_cells * cells for cells in (grid.rows, grid.columns))
    wanted = (channels, grid.frames, rows, columns)
    found = tuple(context.shape)
    if len(found) != 4 or (found[0], *found[2:]) != (channels, rows, columns) or found[1] > grid.frames:
        raise BadInput(
            f"context {number} has the shape {list(found)}, but the sample asks for {list(wanted)} (channels, "
            f"latent frames, rows, columns): prepare it for the sample's size, references included."
        )
    return F.pad(context, (0, 0, 0, 0, grid.frames - found[1], 0))
