"""diffusers' Wan transformer as a host of edits."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from reelpatch.edits.carried import CarriedTokens, TokenSegment, carried_on, modulation_of_all
from reelpatch.edits.contract import (
    Capability,
    Edit,
    Forward,
    Moment,
    RunningEdits,
    all_here,
    begin_edits,
    check_needs,
    replaces_keys_values,
)
from reelpatch.edits.reasoning.drop import matched
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.headless.hosts.keys_values import Spreading, own_self_attention, paired, replaced_keys_values
from reelpatch.headless.hosts.ranks.spread import Spread, spread_of
from reelpatch.headless.hosts.wan_pieces import attention_of, in_pieces, pieces_of
from reelpatch.headless.hosts.whereabouts import whereabouts
from reelpatch.headless.models.embedded_texts import TEXT_ROWS

OFFERED = frozenset(Capability)
OFFERED_SPREAD = OFFERED - {Capability.REPLACE_KEYS_VALUES}
TIMESTEPS = 1000


@dataclass(frozen=True)
class SeenPicture:
    """What an image-to-video backbone sees of its picture.

    Shapes: condition [20, T, h, w], beside the latents' channels; embedding [1, 257, 1280], None for a backbone without a branch
        for it. Latents that have lost the frames between first and last are shown those of the condition.
    """

    condition: Tensor
    embedding: Tensor | None = None

    def beside(self, latents: Tensor) -> Tensor:
        """The latents [B, C, T, h, w] with the condition's channels behind theirs."""
        channels = matched(self.condition, latents.shape[2]).to(latents)
        return torch.cat([latents, channels.expand(len(latents), -1, -1, -1, -1)], dim=1)


def predict_velocity(  # noqa: PLR0913 -- all that one forward is shown
    transformer: WanTransformer3DModel,
    latents: Tensor,
    text: Tensor,
    *,
    moment: Moment,
    edits: Sequence[Edit] = (),
    skipped_blocks: frozenset[int] = frozenset(),
    timestep: Tensor | None = None,
    picture: SeenPicture | None = None,
) -> Tensor:
    """The transformer's output with `edits` at work; a skipped block hands its input on.

    Shapes: latents `[B, C, T, h, w]`, text `[B, rows, 4096]`, result `[B, 16 or 48, T, h, w]`.
    `picture` is what an image-to-video backbone needs beside.
    `timestep`, `[B]` or `[B, N]` in 0..1000, is fed to the network in place of the moment's sigma.
    Guarantees: nothing stays on the transformer afterwards, whatever happened; hooks of others go on working;
    gradients flow where they are enabled.
    Where the transformer's tokens are spread over several processes (`spread_tokens`), all of them call this alike, and each gets
    the whole result.
    Raises: `BadInput` when an edit asks for what this host cannot do, or does not fit the transformer.
    """
    device, dtype = whereabouts(transformer.patch_embedding)
    if timestep is None:
        timestep = torch.full((len(latents),), TIMESTEPS * moment.sigma)
    hooks = edited(transformer, edits, latents=latents, moment=moment, skipped_blocks=skipped_blocks)
    embedding = None
    if picture is not None:
        latents = picture.beside(latents)
        if picture.embedding is not None:
            embedding = picture.embedding.expand(len(latents), -1, -1).to(device, dtype)
    with hooks, in_pieces(transformer, pieces_of(transformer)), skipped(transformer, skipped_blocks):
        return transformer(
            hidden_states=latents.to(device, dtype),
            timestep=timestep.to(device),
            encoder_hidden_states=text.to(device, dtype),
            encoder_hidden_states_image=embedding,
            return_dict=False,
        )[0]


@contextmanager
def edited(
    transformer: WanTransformer3DModel,
    edits: Sequence[Edit],
    *,
    latents: Tensor,
    moment: Moment,
    skipped_blocks: frozenset[int] = frozenset(),
) -> Generator[None]:
    """`edits` hung on the blocks by PyTorch hooks, for one forward with these `latents` that goes around some blocks."""
    spread = spread_of(transformer)
    offered, host = (
        (OFFERED, "the diffusers host") if spread is None else (OFFERED_SPREAD, "several processes")
    )
    check_needs(edits, offered, host=host)
    blocks: Sequence[nn.Module] = list(transformer.blocks)
    edited_pass = _EditedPass(transformer, edits, latents, moment)

    def after(index: int) -> Any:
        was_skipped = index in skipped_blocks
        return lambda _block, _inputs, stream: edited_pass.after(index, stream, was_skipped=was_skipped)

    with ExitStack() as hooks:
        if edits or spread is not None:
            hooks.callback(blocks[0].register_forward_pre_hook(edited_pass.begin).remove)
            for block in blocks[1:]:
                hooks.callback(block.register_forward_pre_hook(edited_pass.carry).remove)
            for index, block in enumerate(blocks):
                hooks.callback(block.register_forward_hook(after(index)).remove)
        if replaces_keys_values(edits):
            hooks.enter_context(replaced_keys_values(transformer, edited_pass.keys_values))
        if spread is not None:
            hooks.enter_context(_spread(transformer, spread, edited_pass.num_tokens))
        yield


@contextmanager
def _spread(transformer: WanTransformer3DModel, spread: Spread, num_tokens: int) -> Generator[None]:
    """Attention to tokens of other processes, and all of them for each at the end."""

    def own_times(_module: nn.Module, _inputs: Any, told: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        times = told[0]
        return (spread.part(times), *told[1:]) if times.ndim == 3 else told

    def gather(_module: nn.Module, _inputs: Any, part: Tensor) -> Tensor:
        return spread.whole(part, num_tokens)

    with ExitStack() as hooks:
        hooks.callback(transformer.condition_embedder.register_forward_hook(own_times).remove)
        hooks.callback(transformer.proj_out.register_forward_hook(gather).remove)
        attention = own_self_attention(
            transformer,
            lambda _index, standing: Spreading(standing, spread),
            "be shared by several processes",
        )
        hooks.enter_context(attention)
        yield


class _EditedPass:
    """The edits of one forward, as hooks around diffusers' blocks; each hook gets a block and what it is called with."""

    def __init__(
        self, transformer: WanTransformer3DModel, edits: Sequence[Edit], latents: Tensor, moment: Moment
    ) -> None:
        self._transformer, self._edits, self._moment = transformer, edits, moment
        self._num_channels = latents.shape[1]
        patches = zip(latents.shape[-3:], transformer.config["patch_size"], strict=True)
        self._grid = TokenGrid(*(-(-cells // side) for cells, side in patches))
        self._spread = spread_of(transformer)
        self._running, self._carried = RunningEdits(()), CarriedTokens((), self._grid.tokens)
        # Modulation and rotary embedding of all tokens, where there are segments, or tokens in other processes.
        self._of_all: tuple[Tensor, tuple[Tensor, Tensor]] | None = None

    def begin(self, _block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Before the first block."""
        tokens, text, modulation, (cos, sin) = inputs
        transformer, spread = self._transformer, self._spread
        blocks = transformer.blocks
        if spread is not None:
            tokens, cos, sin = (spread.part(one) for one in (tokens, cos, sin))
            modulation = spread.part(modulation) if modulation.ndim == 4 else modulation
        forward = Forward(
            tokens=tokens,
            grid=self._grid,
            modulation=modulation,
            # I2V backbones put image tokens in front of the text; the edits' blocks know text alone.
            text=text[:, -TEXT_ROWS:] if transformer.config["added_kv_proj_dim"] else text,
            rotary=paired(cos, sin)[0],
            num_blocks=len(blocks),
            moment=self._moment,
            num_channels=self._num_channels,
            head_dim=cos.shape[-1],
            # Not by `self`, which holds the forward: tokens and models would stay until a collection of cycles.
            embed=lambda more: embed(transformer, more),
            attention=attention_of(blocks[0]),
            pieces=pieces_of(transformer),
            here=all_here if spread is None else spread.part,
            among=None if spread is None else spread.attention(_backend_of(blocks[0])),
        )
        running = begin_edits(self._edits, forward)
        self._running, segments = replace(running, segments=()), running.segments
        if spread is not None:
            spread.tell_lengths([self.num_tokens, *(one.tokens.shape[1] for one in segments)])
            segments = [_part_of(one, spread) for one in segments]
        elif not segments:
            return None
        carried = CarriedTokens(segments, tokens.shape[1])
        self._carried = carried.placed()
        self._of_all = (
            modulation_of_all(carried, modulation, self._modulation_at, self._moment.sigma, is_by_token=True),
            _rotary_of_all(carried, cos, sin),
        )
        return carried.joined(tokens), text, *self._of_all

    @property
    def num_tokens(self) -> int:
        """Of the sample."""
        return self._grid.tokens

    def carry(self, _block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Before each block but the first."""
        return None if self._of_all is None else (*inputs[:2], *self._of_all)

    def _modulation_at(self, sigma: float) -> Tensor:
        """What the transformer makes of a noise level, `[1, 6, D]`."""
        transformer = self._transformer
        device, dtype = whereabouts(transformer.patch_embedding)
        timestep = torch.tensor([TIMESTEPS * sigma], device=device)
        no_text = torch.zeros(1, 1, transformer.config["text_dim"], device=device, dtype=dtype)
        modulation: Tensor = transformer.condition_embedder(timestep, no_text)[1]
        return modulation.unflatten(1, (6, -1))

    def keys_values(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """In self-attention of each block."""
        return self._running.keys_values(index, keys, values)

    def after(self, index: int, stream: Tensor, *, was_skipped: bool) -> Tensor:
        """After each block."""
        is_last = index + 1 == len(self._transformer.blocks)
        return carried_on(
            self._running, self._carried, index, stream, was_skipped=was_skipped, is_last=is_last
        )


def embed(transformer: WanTransformer3DModel, latents: Tensor) -> Tensor:
    """The transformer's own tokens of latents, `[B, C, T, h, w]` -> `[B, N, D]`; half a patch at an edge is filled with zeros."""
    _, patch_rows, patch_columns = transformer.config["patch_size"]
    borders = (0, -latents.shape[-1] % patch_columns, 0, -latents.shape[-2] % patch_rows)
    padded = F.pad(latents.to(*whereabouts(transformer.patch_embedding)), borders)
    return transformer.patch_embedding(padded).flatten(2).transpose(1, 2)


def _part_of(segment: TokenSegment, spread: Spread) -> TokenSegment:
    return replace(segment, tokens=spread.part(segment.tokens), angles=spread.part(segment.angles, dim=0))


def _backend_of(block: Any) -> Any:
    return block.attn1.processor._attention_backend


def _rotary_of_all(carried: CarriedTokens, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """diffusers' pair of tables, `[1, N, 1, E]`, for all tokens that go through the blocks."""
    angles = [one.angles.repeat_interleave(2, dim=-1)[None, :, None] for one in carried.segments]
    return (
        carried.around(cos, [angle.cos().to(cos) for angle in angles], dim=1),
        carried.around(sin, [angle.sin().to(sin) for angle in angles], dim=1),
    )


@contextmanager
def skipped(transformer: WanTransformer3DModel, indices: frozenset[int]) -> Generator[None]:
    """The blocks at `indices` hand their input on uncomputed; their hooks still run."""
    outside = sorted(index for index in indices if not 0 <= index < len(transformer.blocks))
    if outside:
        raise BadInput(
            f"block {outside[0]} cannot be skipped, because this backbone has blocks 0 to "
            f"{len(transformer.blocks) - 1}: choose blocks among those."
        )
    blocks = [transformer.blocks[index] for index in sorted(indices)]
    # Other packages also put a `forward` of their own on an instance; what stood there must stand there again.
    former = [block.__dict__.get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = _hand_on
        yield
    finally:
        for block, forward in zip(blocks, former, strict=True):
            del block.forward
            if forward is not None:
                block.forward = forward


def _hand_on(tokens: Tensor, *_: Any) -> Tensor:
    return tokens
