"""Self-attention of diffusers' Wan blocks, with keys and values that edits may replace."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor

from reelpatch.edits.contract import KeysValues
from reelpatch.errors import BadInput
from reelpatch.families.attention import apply_rotary
from reelpatch.headless.hosts.ranks.spread import Spread


@contextmanager
def replaced_keys_values(transformer: WanTransformer3DModel, keys_values: KeysValues) -> Generator[None]:
    """Within it, self-attention of every block reads what `keys_values` gives it; then all is as it was.

    Raises: `BadInput` where another package computes self-attention, for whose way this one would stand in.
    """
    with own_self_attention(
        transformer,
        lambda index, standing: Replacing(standing, index, keys_values),
        "replace its keys and values",
    ):
        yield


@contextmanager
def own_self_attention(
    transformer: WanTransformer3DModel, make: Callable[[int, Any], OwnSelfAttention], doing: str
) -> Generator[None]:
    """Within it, self-attention of every block is what is made of its number and its processor; then all is as it was.

    Raises: `BadInput` where another package computes self-attention, naming what this was for (`doing`).
    """
    layers: list[Any] = [block.attn1 for block in transformer.blocks]  # pyright: ignore[reportAttributeAccessIssue]
    standing = [layer.processor for layer in layers]
    for processor in standing:
        if type(processor) is not WanAttnProcessor:
            raise BadInput(
                f"self-attention of this backbone is computed by {type(processor).__name__}, so that an edit cannot {doing}: "
                "take that away, or leave the edit out."
            )
    try:
        for index, layer in enumerate(layers):
            layer.processor = make(index, standing[index])
        yield
    finally:
        for layer, processor in zip(layers, standing, strict=True):
            layer.processor = processor


class OwnSelfAttention:
    """What `WanAttnProcessor` computes in self-attention, step for step; `standing` is the one in whose place it is."""

    def __init__(self, standing: Any) -> None:
        self._attention_backend, self._parallel_config = (
            standing._attention_backend,
            standing._parallel_config,
        )

    def replaced(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values that are read in the place of these."""
        return keys, values

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention, [B, N, H * E], by the standing processor's kernel."""
        seen = dispatch_attention_fn(
            query, key, value, backend=self._attention_backend, parallel_config=self._parallel_config
        )
        return seen.flatten(2)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,  # noqa: ARG002 -- as diffusers calls it; None in self-attention
        attention_mask: Tensor | None = None,  # noqa: ARG002 -- the same
        rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        if attn.fused_projections:
            query, key, value = attn.to_qkv(hidden_states).chunk(3, dim=-1)
        else:
            query, key, value = (layer(hidden_states) for layer in (attn.to_q, attn.to_k, attn.to_v))
        query, key, value = (
            rows.unflatten(2, (attn.heads, -1)) for rows in (attn.norm_q(query), attn.norm_k(key), value)
        )
        if rotary_emb is not None:
            table = paired(*rotary_emb)
            query, key = apply_rotary(query, table), apply_rotary(key, table)
        seen = self.attend(query, *self.replaced(key, value))
        return attn.to_out[1](attn.to_out[0](seen.type_as(query)))


class Replacing(OwnSelfAttention):
    """With keys and values that an edit may replace."""

    def __init__(self, standing: Any, index: int, keys_values: KeysValues) -> None:
        super().__init__(standing)
        self._index, self._keys_values = index, keys_values

    def replaced(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        return self._keys_values(self._index, keys, values)


class Spreading(OwnSelfAttention):
    """With keys and values of tokens that other processes have."""

    def __init__(self, standing: Any, spread: Spread) -> None:
        super().__init__(standing)
        self._attend = spread.attention(self._attention_backend)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self._attend(query, key, value)


def paired(cos: Tensor, sin: Tensor) -> Tensor:
    """diffusers' tables, which hold each angle twice, once for either half of its pair, as one of pairs [..., E / 2, 2]."""
    return torch.stack((cos[..., 0::2], sin[..., 1::2]), dim=-1)
