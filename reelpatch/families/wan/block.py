"""The Wan transformer block.

Shape letters: B batch, N tokens, T text rows, D width, A heads, E head width (D = A * E).
The compute dtype is that of the text rows. The residual stream may be wider (`norm3` then has to be as wide):
modulation, gates and their sums are done in float32 and cast back to the stream's dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelpatch.families.attention import Attention, Rotate, apply_rotary, sdpa
from reelpatch.families.wan.modulation import gated, modulated

if TYPE_CHECKING:  # imported where a block runs in pieces
    from reelpatch.families.pieces import Pieces
    from reelpatch.families.wan.pieces import BlockLayers


class SelfAttention(nn.Module):
    """Wan's attention: q and k normalised over the full width before the heads are split."""

    def __init__(self, dim: int, num_heads: int, *, eps: float, operations: Any, **factory: Any) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = operations.Linear(dim, dim, **factory)
        self.k = operations.Linear(dim, dim, **factory)
        self.v = operations.Linear(dim, dim, **factory)
        self.o = operations.Linear(dim, dim, **factory)
        self.norm_q = operations.RMSNorm(dim, eps=eps, **factory)
        self.norm_k = operations.RMSNorm(dim, eps=eps, **factory)

    def project(self, x_BND: Tensor, source_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q of `x_BND`, k and v of `source_BTD`, as `[B, N or T, A, E]`, before any rotation."""
        v = self.v(source_BTD)
        # A norm whose weight is kept in float32 widens its output; attention wants one dtype.
        q = self.norm_q(self.q(x_BND)).type_as(v)
        k = self.norm_k(self.k(source_BTD)).type_as(v)
        q, k, v = (x.unflatten(-1, (self.num_heads, -1)) for x in (q, k, v))
        return q, k, v

    def forward(self, x_BND: Tensor, rotary: Any, *, attention: Attention, rotate: Rotate) -> Tensor:
        q, k, v = self.project(x_BND, x_BND)
        return self.o(attention(rotate(q, rotary), rotate(k, rotary), v))


class CrossAttention(SelfAttention):
    """Attention to the text rows: no rotation, and no mask, because Wan attends to its padding rows."""

    def forward(self, x_BND: Tensor, text_BTD: Tensor, *, attention: Attention) -> Tensor:  # type: ignore[override]
        return self.o(attention(*self.project(x_BND, text_BTD)))

    def begin(self, text_BTD: Tensor, attention: Attention) -> Callable[[Tensor], Tensor]:
        """The same for one piece of the tokens after the other; of the text keys and values are made once."""
        heads = (self.num_heads, -1)
        v = self.v(text_BTD)
        k = self.norm_k(self.k(text_BTD)).type_as(v).unflatten(-1, heads)

        def on(x_BND: Tensor) -> Tensor:
            q = self.norm_q(self.q(x_BND)).type_as(v).unflatten(-1, heads)
            return self.o(attention(q, k, v.unflatten(-1, heads)))

        return on


class WanBlock(nn.Module):
    """One block of the Wan transformer, under the parameter names of the original files.

    `operations` makes the layers (`torch.nn`, or a host's own `Linear`, `LayerNorm`, `RMSNorm`, which must take
    `device` and `dtype`). `layers_cast` says that they bring their weights to the device and dtype of what they are
    given, so that a weight may be anywhere, and says nothing about where to compute.
    At float32 the result equals diffusers' `WanTransformerBlock` bit for bit.

    Source: Wan2.1 `wan/modules/model.py`, `WanAttentionBlock` (t2v).
    """

    def __init__(  # noqa: PLR0913 -- sizes by position, then what the host brings
        self,
        dim: int,
        ffn_dim: int,
        num_heads: int,
        *,
        eps: float = 1e-6,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        layers_cast: bool = False,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.eps = eps
        self.layers_cast = layers_cast
        self.modulation = nn.Parameter(torch.randn(1, 6, dim, **factory) / dim**0.5)
        self.self_attn = SelfAttention(dim, num_heads, eps=eps, operations=operations, **factory)
        self.norm3 = operations.LayerNorm(dim, eps=eps, **factory)
        self.cross_attn = CrossAttention(dim, num_heads, eps=eps, operations=operations, **factory)
        self.ffn = nn.Sequential(
            operations.Linear(dim, ffn_dim, **factory),
            nn.GELU(approximate="tanh"),
            operations.Linear(ffn_dim, dim, **factory),
        )

    def forward(  # noqa: PLR0913 -- what the host tells of a pass, and its ways to compute
        self,
        x_BND: Tensor,
        modulation_B6D: Tensor,
        text_BTD: Tensor,
        rotary: Any,
        *,
        attention: Attention = sdpa,
        rotate: Rotate = apply_rotary,
        pieces: Pieces | None = None,
        among: Attention | None = None,
    ) -> Tensor:
        """The stream after this block, same shape and dtype as `x_BND`.

        `modulation_B6D` is the projected timestep; `[B, N, 6, D]` gives every token its own timestep. With `pieces`, for which
        a `rotary` has its tokens along its first axis, less memory is taken where no gradients are asked for; they are not for
        tokens on several devices, which attend to each other by `among`.
        """
        dtype = text_BTD.dtype
        timed = modulation_B6D if modulation_B6D.ndim == 4 else modulation_B6D.unsqueeze(1)
        # The parameter may wait on another device or in another dtype: it is a bare tensor, no layer of the host's.
        own = self.modulation.to(device=timed.device, dtype=torch.float32)
        modulation = (own + timed.float()).unbind(-2)
        if pieces is not None and x_BND.dtype == dtype and not torch.is_grad_enabled():
            from reelpatch.families.wan.pieces import block_in_pieces

            layers = self._layers(text_BTD, rotary, attention, rotate)
            return block_in_pieces(x_BND, modulation, layers, attention=attention, pieces=pieces)
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation

        y = modulated(self._normalised(x_BND), scale1, shift1).to(dtype)
        # What is not needed further down gets no name: names keep tensors alive.
        y = self.self_attn(y, rotary, attention=among or attention, rotate=rotate)
        x_BND = gated(x_BND, y, gate1).type_as(x_BND)

        y = self._normalised_for_text(x_BND, dtype)
        x_BND = x_BND + self.cross_attn(y, text_BTD, attention=attention)

        y = modulated(self._normalised(x_BND), scale2, shift2).to(dtype)
        y = self.ffn(y)
        return gated(x_BND, y, gate2).type_as(x_BND)

    def _normalised(self, x_BND: Tensor) -> Tensor:
        return F.layer_norm(x_BND.float(), x_BND.shape[-1:], eps=self.eps)

    def _normalised_for_text(self, x_BND: Tensor, dtype: torch.dtype) -> Tensor:
        return self.norm3(x_BND if self.layers_cast else x_BND.to(self.norm3.weight.dtype)).to(dtype)

    def _layers(self, text_BTD: Tensor, rotary: Any, attention: Attention, rotate: Rotate) -> BlockLayers:
        from reelpatch.families.wan.pieces import BlockLayers, SelfAttentionLayers

        own = self.self_attn
        return BlockLayers(
            norm1=self._normalised,
            self_attention=SelfAttentionLayers(
                *(own, own.q, own.k, own.v, own.o, own.norm_q, own.norm_k, own.num_heads),
                turn=lambda x, at: rotate(x, rotary[at]),
                read=lambda k, v: (k, v),
            ),
            norm_cross=lambda x: self._normalised_for_text(x, text_BTD.dtype),
            cross_attention=self.cross_attn,
            cross=lambda: self.cross_attn.begin(text_BTD, attention),
            norm2=self._normalised,
            feed_forward=self.ffn,
        )
