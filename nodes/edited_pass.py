"""The edits of one forward of ComfyUI's Wan model: what goes into each block, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from comfy.ldm.common_dit import pad_to_patch_size
from comfy.ldm.wan.model import sinusoidal_embedding_1d
from torch import Tensor

from reelpatch.edits.carried import CarriedTokens, carried_on, modulation_of_all
from reelpatch.edits.contract import Edit, Forward, RunningEdits, begin_edits

BlockArguments = Mapping[str, Any]
TIMESTEPS = 1000


class EditedPass:
    """Begins the edits at the first block, carries their token segments, and asks them after every block."""

    def __init__(
        self,
        edits: Sequence[Edit],
        forward_of: Callable[[BlockArguments], Forward],
        num_blocks: int,
        modulation_at: Callable[[float], Tensor],
    ) -> None:
        self._edits = edits
        self._modulation_at = modulation_at
        self._forward_of = forward_of
        self._num_blocks = num_blocks
        self._running = RunningEdits(())
        self._carried = CarriedTokens((), 0)
        self._of_all: dict[str, Tensor] = {}  # rotary embedding and modulation, where there are segments

    def before_block(self, index: int, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the block is called with."""
        if index == 0:
            forward = self._forward_of(arguments)
            running = begin_edits(self._edits, forward)
            self._running = replace(running, segments=())
            carried = CarriedTokens(running.segments, forward.tokens.shape[1])
            self._carried = carried.placed()
            if not running.segments:
                return arguments
            modulation = modulation_of_all(
                carried,
                forward.modulation,
                self._modulation_at,
                forward.moment.sigma,
                is_by_token=False,
            )
            self._of_all = {"pe": _rotary_of_all(carried, forward.rotary), "vec": modulation}
            return {**arguments, "img": carried.joined(forward.tokens), **self._of_all}
        return {**arguments, **self._of_all}

    def keys_values(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What self-attention of a block reads in place of its own keys and values, [B, N, H, E]."""
        return self._running.keys_values(index, keys, values)

    def after_block(self, index: int, stream: Tensor, *, was_skipped: bool) -> Tensor:
        """What the next block goes on from."""
        is_last = index + 1 == self._num_blocks
        return carried_on(
            self._running, self._carried, index, stream, was_skipped=was_skipped, is_last=is_last
        )


def embedder(transformer: Any, like: Tensor) -> Callable[[Tensor], Tensor]:
    """The transformer's own tokens of latents, `[B, C, T, h, w]` -> `[B, N, D]`, in the dtype of `like`."""

    def embed(latents: Tensor) -> Tensor:
        padded = pad_to_patch_size(latents.to(like.device).float(), transformer.patch_size)
        return transformer.patch_embedding(padded).to(like.dtype).flatten(2).transpose(1, 2)

    return embed


def timer(transformer: Any, like: Tensor) -> Callable[[float], Tensor]:
    """What the transformer makes of a noise level, `[1, 6, D]`, in the dtype of `like`."""

    def modulation_at(sigma: float) -> Tensor:
        timestep = torch.tensor([TIMESTEPS * sigma], device=like.device)
        embedded = sinusoidal_embedding_1d(transformer.freq_dim, timestep).to(like.dtype)
        return transformer.time_projection(transformer.time_embedding(embedded)).unflatten(1, (6, -1))

    return modulation_at


def _rotary_of_all(carried: CarriedTokens, own: Tensor) -> Tensor:
    """ComfyUI's table of rotations, `[1, N, 1, E / 2, 2, 2]`, for all tokens that go through the blocks."""
    turned: list[Tensor] = []
    for segment in carried.segments:
        cos, sin = segment.angles.cos(), segment.angles.sin()
        turned.append(torch.stack((cos, -sin, sin, cos), dim=-1).unflatten(-1, (2, 2))[None, :, None].to(own))
    return carried.around(own, turned, dim=1)
