"""A Wan block computed over one piece of its tokens after the other, for cards that have no room for all at once.

In a block, tokens meet in self-attention alone, and there a query reads keys and values of all. So norms, modulation,
queries, residuals and the feed-forward layer give the same for a piece as for the whole; of the whole are held only the stream
before the block, the one after it, and keys and values.

Shape letters: as in `block`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reelpatch.families.attention import Attention
from reelpatch.families.pieces import Pieces
from reelpatch.families.wan.modulation import gated, modulated


@dataclass(frozen=True)
class SelfAttentionLayers:
    """A self-attention under whatever names: the `whole` of it, its layers and norms; heads are its `num_heads`.

    `turn` puts queries or keys of the tokens in a span to their places; `read` gives the keys and values that are read.
    """

    whole: nn.Module
    q: nn.Module
    k: nn.Module
    v: nn.Module
    o: nn.Module
    norm_q: nn.Module
    norm_k: nn.Module
    num_heads: int
    turn: Callable[[Tensor, slice], Tensor]
    read: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class BlockLayers:
    """A block under whatever names. `norm1` and `norm2` are in fp32 and have no weights; `cross` begins cross-attention of
    the block's text, to be called for normalised tokens.
    """

    norm1: Callable[[Tensor], Tensor]
    self_attention: SelfAttentionLayers
    norm_cross: Callable[[Tensor], Tensor]
    cross_attention: nn.Module
    cross: Callable[[], Callable[[Tensor], Tensor]]
    norm2: Callable[[Tensor], Tensor]
    feed_forward: nn.Module


def block_in_pieces(
    x_BND: Tensor,
    modulation: Sequence[Tensor],
    layers: BlockLayers,
    *,
    attention: Attention,
    pieces: Pieces,
) -> Tensor:
    """The stream after the block, of the dtype of `x_BND`, which is what is computed in; for use without gradients.

    `modulation`: shift, scale and gate of attention, and those of the feed-forward layer, `[B, 1 or N, D]` in fp32.
    """
    shift1, scale1, gate1, shift2, scale2, gate2 = modulation
    spans = pieces.spans(x_BND.shape[1])
    y_BND = torch.empty_like(x_BND)
    for at in spans:
        y_BND[:, at] = modulated(layers.norm1(x_BND[:, at].float()), _of(scale1, at), _of(shift1, at))
    # From here on each piece of `y_BND` becomes the stream when all that reads it has run.
    with pieces.at_hand(layers.self_attention.whole):
        attend = _self_attention(y_BND, layers.self_attention, spans, attention, pieces)
        with pieces.widened(layers.self_attention.q), pieces.widened(layers.self_attention.o):
            for at in spans:
                y_BND[:, at] = gated(x_BND[:, at], attend(at), _of(gate1, at))
        del attend  # it holds keys and values
    with pieces.at_hand(layers.cross_attention), pieces.widened(layers.cross_attention):
        cross = layers.cross()
        for at in spans:
            y_BND[:, at] += cross(layers.norm_cross(y_BND[:, at]))

    def fed(at: slice) -> Tensor:
        told = modulated(layers.norm2(y_BND[:, at].float()), _of(scale2, at), _of(shift2, at))
        return layers.feed_forward(told.to(x_BND.dtype))

    with pieces.at_hand(layers.feed_forward), pieces.widened(layers.feed_forward):
        for at in spans:
            y_BND[:, at] = gated(y_BND[:, at], fed(at), _of(gate2, at))
    return y_BND


def _self_attention(
    y_BND: Tensor, layers: SelfAttentionLayers, spans: Sequence[slice], attention: Attention, pieces: Pieces
) -> Callable[[slice], Tensor]:
    """What each span's queries find among the keys and values of all, which are made now."""
    heads = (layers.num_heads, -1)
    v_BND, k_BND = torch.empty_like(y_BND), torch.empty_like(y_BND)

    def turned(layer: nn.Module, norm: nn.Module, at: slice) -> Tensor:
        normalised = norm(layer(y_BND[:, at])).type_as(y_BND)
        return layers.turn(normalised.unflatten(-1, heads), at)

    with pieces.widened(layers.v):
        for at in spans:
            v_BND[:, at] = layers.v(y_BND[:, at])
    with pieces.widened(layers.k):
        for at in spans:
            k_BND[:, at] = turned(layers.k, layers.norm_k, at).flatten(2)
    keys, values = layers.read(k_BND.unflatten(-1, heads), v_BND.unflatten(-1, heads))
    return lambda at: layers.o(attention(turned(layers.q, layers.norm_q, at), keys, values))


def _of(modulation: Tensor, at: slice) -> Tensor:
    """What belongs to these tokens: all of it where tokens have no timesteps of their own."""
    return modulation if modulation.shape[1] == 1 else modulation[:, at]
