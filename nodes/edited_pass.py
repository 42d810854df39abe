"""The edits of one forward of ComfyUI's Wan model: what goes into each block, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from comfy.ldm.common_dit import pad_to_patch_size
from torch import Tensor

from reelpatch.edits.carried import CarriedTokens, carried_on, check_can_carry
from reelpatch.edits.contract import Edit, Forward, RunningEdits, begin_edits

BlockArguments = Mapping[str, Any]


class EditedPass:
    """Begins the edits at the first block, carries their token segments, and asks them after every block."""

    def __init__(
        self, edits: Sequence[Edit], forward_of: Callable[[BlockArguments], Forward], num_blocks: int
    ) -> None:
        self._edits = edits
        self._forward_of = forward_of
        self._num_blocks = num_blocks
        self._running = RunningEdits(())
        self._carried = CarriedTokens((), 0)
        self._rotary: Tensor | None = None

    def before_block(self, index: int, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the block is called with."""
        if index == 0:
            forward = self._forward_of(arguments)
            self._running = begin_edits(self._edits, forward)
            self._carried = CarriedTokens(self._running.segments, forward.tokens.shape[1])
            if not self._running.segments:
                return arguments
            check_can_carry(forward.modulation)
            self._rotary = _rotary_of_all(self._carried, forward.rotary)
            return {**arguments, "img": self._carried.joined(forward.tokens), "pe": self._rotary}
        return arguments if self._rotary is None else {**arguments, "pe": self._rotary}

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


def _rotary_of_all(carried: CarriedTokens, own: Tensor) -> Tensor:
    """ComfyUI's table of rotations, `[1, N, 1, E / 2, 2, 2]`, for all tokens that go through the blocks."""
    turned: list[Tensor] = []
    for segment in carried.segments:
        cos, sin = segment.angles.cos(), segment.angles.sin()
        turned.append(torch.stack((cos, -sin, sin, cos), dim=-1).unflatten(-1, (2, 2))[None, :, None].to(own))
    return carried.around(own, turned, dim=1)
