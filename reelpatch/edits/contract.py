"""How an edit meets a transformer: what a host tells it at each forward, and what it may ask of the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from torch import Tensor

from reelpatch.edits.capability import Capability
from reelpatch.edits.carried import TokenSegment
from reelpatch.errors import BadInput
from reelpatch.families.attention import Attention, Rotate, apply_rotary, sdpa
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.pieces import Pieces
from reelpatch.sampling.condition_sets import Sees
from reelpatch.sampling.schedules import step_of


def all_here(tokens: Tensor) -> Tensor:
    """As `Forward.here` where one device has all tokens."""
    return tokens


KeysValues = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Of a block's number, keys and values [B, N, H, E]: those that are read in their place."""


@dataclass(frozen=True)
class Moment:
    """Where in a run a forward stands, which of its batch rows saw the instruction, and what segments it is shown.

    Units: sigma in [0, 1]; steps count from 0.
    """

    sigma: float
    step: int
    num_steps: int
    conditional: tuple[bool, ...]
    sees: Sees = Sees.ALL

    @classmethod
    def on(cls, sigmas: Tensor, sigma: float, conditional: tuple[bool, ...], sees: Sees = Sees.ALL) -> Moment:
        """The moment of a call at `sigma` in a run over `sigmas`, for hosts that are not told the step."""
        return cls(sigma, step_of(sigmas, sigma), len(sigmas) - 1, conditional, sees)


@dataclass(frozen=True)
class Forward:
    """One pass of the host's transformer, as told to the edits before its first block.

    Shapes: tokens `[B, N, D]` (patch-embedded noise, of latents of `num_channels`); modulation `[B, 6, D]`, or `[B, N, 6, D]` where tokens have
    timesteps of their own; text `[B, T, D]`, embedded, padding rows included.
    `rotary` is the host's own rotary embedding, for heads of width `head_dim`; `attention` and `rotate` are the host's ways to
    compute, and `embed` is its patch embedding, `[B, C, T, h, w]` -> `[B, N, D]`.
    A host that works on a long clip window by window names the latent frames this pass sees, `shown_frames`, and how
    many there are in all, `num_frames`; None means that it sees them all.
    A host that spreads the tokens over several devices tells of its own part of them alone, `grid` aside; `here` takes that part
    of other tokens of the sample, `[B, N, ...]`, and `among` is attention between tokens wherever they are, None where that is
    `attention`.
    A host whose blocks run over `pieces` of the tokens asks the edits' blocks for the same; its `rotary` is then of tokens
    along its first axis.
    """

    tokens: Tensor
    grid: TokenGrid
    modulation: Tensor
    text: Tensor
    rotary: Any
    num_blocks: int
    moment: Moment
    num_channels: int
    head_dim: int
    embed: Callable[[Tensor], Tensor]
    attention: Attention = sdpa
    rotate: Rotate = apply_rotary
    shown_frames: Sequence[int] | None = None
    num_frames: int | None = None
    pieces: Pieces | None = None
    here: Callable[[Tensor], Tensor] = all_here
    among: Attention | None = None

    @property
    def whole_grid(self) -> TokenGrid:
        """The grid of the whole sample, of which this pass may see a part."""
        return self.grid if self.num_frames is None else replace(self.grid, frames=self.num_frames)


class RunningEdit(Protocol):
    """An edit during one forward; it may hold tensors and is dropped when the forward ends."""

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:
        """The token stream that goes on after block `index`; called once per block, in order.

        `was_skipped` where this pass went around the block, as skip-layer guidance does.
        """
        ...


class BringsTokens(RunningEdit, Protocol):
    """A running edit of one that needs `BRING_TOKENS`."""

    def segments(self) -> Sequence[TokenSegment]:
        """What goes through all blocks beside the sample's tokens; `after_block` is told of those alone.

        Asked for once, and handed over: held here too, their tokens would fill memory to the last block.
        """
        ...


class ReplacesKeysValues(RunningEdit, Protocol):
    """A running edit of one that needs `REPLACE_KEYS_VALUES`."""

    def keys_values(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What self-attention of that block reads in place of these, which it gives back where it changes nothing.

        Shapes: keys, turned to their places, and values `[B, N, H, E]`, of all tokens in the block; the result may have
            another N.
        """
        ...


class Edit(Protocol):
    """A way of changing what a transformer makes; strengths and windows are the edit's own affair."""

    @property
    def needs(self) -> frozenset[Capability]: ...

    @property
    def width(self) -> int | None:
        """How wide a transformer it was made for; None fits any."""
        ...

    @property
    def channels(self) -> int | None:
        """How many channels latents have that it was made for; None fits any."""
        ...

    def memory_share(self, grid: TokenGrid) -> float:
        """How much more memory a forward on that grid takes, as a part of what it takes without the edit."""
        ...

    def begin(self, forward: Forward) -> RunningEdit | None:
        """The edit at work in this forward, or None when it has nothing to do (strength 0, outside its window).

        Raises: `BadInput` when the edit does not fit the transformer or the clip.
        """
        ...


def check_needs(edits: Iterable[Edit], offered: frozenset[Capability], *, host: str) -> None:
    """Raises: `BadInput` naming the first thing an edit needs and `host` cannot do."""
    for edit in edits:
        for need in sorted(edit.needs - offered, key=lambda capability: capability.name):
            raise BadInput(f"{type(edit).__name__} cannot run in {host}: this host cannot {need.value}.")


@dataclass(frozen=True)
class RunningEdits:
    """Several running edits as one: each goes on from what the one before it left."""

    parts: Sequence[RunningEdit]
    segments: Sequence[TokenSegment] = ()
    replacing: Sequence[ReplacesKeysValues] = ()

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:
        for part in self.parts:
            tokens = part.after_block(index, tokens, was_skipped=was_skipped)
        return tokens

    def keys_values(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """As `ReplacesKeysValues`."""
        for part in self.replacing:
            keys, values = part.keys_values(block, keys, values)
        return keys, values


def replaces_keys_values(edits: Iterable[Edit]) -> bool:
    """Whether any of `edits` asks for keys and values."""
    return any(Capability.REPLACE_KEYS_VALUES in edit.needs for edit in edits)


def begin_edits(edits: Iterable[Edit], forward: Forward) -> RunningEdits:
    """Those of `edits` that have something to do in this forward, in the given order."""
    parts: list[RunningEdit] = []
    segments: list[TokenSegment] = []
    replacing: list[ReplacesKeysValues] = []
    for edit in edits:
        running = edit.begin(forward)
        if running is None:
            continue
        parts.append(running)
        if Capability.BRING_TOKENS in edit.needs:
            segments += cast("BringsTokens", running).segments()
        if Capability.REPLACE_KEYS_VALUES in edit.needs:
            replacing.append(cast("ReplacesKeysValues", running))
    return RunningEdits(parts, segments, replacing)
