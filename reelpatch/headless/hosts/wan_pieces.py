"""diffusers' Wan blocks computed in pieces of their tokens, by the same layers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor, nn

from reelpatch.families.attention import Attention, apply_rotary
from reelpatch.families.pieces import Pieces
from reelpatch.families.wan.pieces import BlockLayers, SelfAttentionLayers, block_in_pieces
from reelpatch.headless.hosts.keys_values import Replacing, paired
from reelpatch.headless.hosts.ranks.spread import spread_of
from reelpatch.headless.hosts.whereabouts import whereabouts
from reelpatch.headless.models.embedded_texts import TEXT_ROWS
from reelpatch.headless.models.stored_layers import widened_once
from reelpatch.headless.models.streaming import at_hand

_LENGTH = "reelpatch_piece"


def work_in_pieces(transformer: nn.Module, length: int | None) -> None:
    """Lets a Wan transformer, and edits on it, run over pieces of that many tokens; None for all at once.

    Only where no gradients are asked for. Of other families nothing changes.
    """
    if isinstance(transformer, WanTransformer3DModel):
        setattr(transformer, _LENGTH, length)


def pieces_of(transformer: WanTransformer3DModel) -> Pieces | None:
    """The pieces that a forward of this transformer runs over."""
    length = getattr(transformer, _LENGTH, None)
    # Tokens that are spread over several processes are few enough, and pieces would be exchanged one by one.
    if length is None or spread_of(transformer) is not None or torch.is_grad_enabled():
        return None
    _, dtype = whereabouts(transformer.patch_embedding)
    return Pieces(length, at_hand, partial(widened_once, dtype=dtype))


@contextmanager
def in_pieces(transformer: WanTransformer3DModel, pieces: Pieces | None) -> Generator[None]:
    """Within it, blocks run over these pieces; then they are as they were."""
    if pieces is None:
        yield
        return
    blocks: list[Any] = list(transformer.blocks)
    # Other packages also put a `forward` of their own on an instance, for which this one would stand in.
    own = [block for block in blocks if "forward" not in block.__dict__]
    try:
        for block in own:
            block.forward = partial(_forward, block, pieces)
        yield
    finally:
        for block in own:
            del block.forward


def _forward(
    block: Any, pieces: Pieces, tokens: Tensor, text: Tensor, time: Tensor, rotary: tuple[Tensor, Tensor]
) -> Tensor:
    """As `WanTransformerBlock`; whole where another package computes attention, or its layers are fused."""
    if not (_is_plain(block.attn1) and _is_plain(block.attn2)):
        return type(block).forward(block, tokens, text, time, rotary)
    timed = time if time.ndim == 4 else time.unsqueeze(1)
    modulation = (block.scale_shift_table + timed.float()).unbind(-2)
    attention = attention_of(block)
    layers = BlockLayers(
        norm1=block.norm1,
        self_attention=_self_attention(block.attn1, rotary),
        norm_cross=lambda x: block.norm2(x.float()).type_as(x),
        cross_attention=block.attn2,
        cross=lambda: _cross(block.attn2, text, attention),
        norm2=block.norm3,
        feed_forward=block.ffn,
    )
    return block_in_pieces(tokens, modulation, layers, attention=attention, pieces=pieces)


def attention_of(block: Any) -> Attention:
    """The attention that was chosen for the transformer itself (`set_attention_backend`)."""
    backend = block.attn1.processor._attention_backend

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return dispatch_attention_fn(q, k, v, backend=backend).flatten(2)

    return attention


def _is_plain(attention: Any) -> bool:
    processor = attention.processor
    is_known = type(processor) in (WanAttnProcessor, Replacing)
    return is_known and processor._parallel_config is None and not attention.fused_projections


def _self_attention(layer: Any, rotary: tuple[Tensor, Tensor]) -> SelfAttentionLayers:
    cos, sin = rotary
    processor = layer.processor
    return SelfAttentionLayers(
        *(layer, layer.to_q, layer.to_k, layer.to_v, layer.to_out[0], layer.norm_q, layer.norm_k),
        layer.heads,
        turn=lambda x, at: apply_rotary(x, paired(cos[:, at], sin[:, at])),
        read=processor.replaced if isinstance(processor, Replacing) else lambda k, v: (k, v),
    )


def _cross(layer: Any, text: Tensor, attention: Attention) -> Callable[[Tensor], Tensor]:
    """Cross-attention with keys and values of the text, and of a picture in front of it, made once."""
    heads = (layer.heads, -1)
    seen: list[tuple[Tensor, Tensor]] = []
    if layer.add_k_proj is not None:
        picture, text = text[:, :-TEXT_ROWS], text[:, -TEXT_ROWS:]
        seen.append((layer.norm_added_k(layer.add_k_proj(picture)), layer.add_v_proj(picture)))
    seen.insert(0, (layer.norm_k(layer.to_k(text)), layer.to_v(text)))
    split = [(k.unflatten(2, heads), v.unflatten(2, heads)) for k, v in seen]

    def on(x: Tensor) -> Tensor:
        q = layer.norm_q(layer.to_q(x)).unflatten(2, heads)
        found = attention(q, *split[0]).type_as(q)
        for keys, values in split[1:]:
            found = found + attention(q, keys, values).type_as(q)
        return layer.to_out[0](found)

    return on
