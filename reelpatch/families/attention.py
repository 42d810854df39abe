"""How a host attends and rotates, as callables, and PyTorch's own way to do both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q_BNAE, k_BTAE, v_BTAE) -> [B, N, A * E]."""


Rotate = Callable[[Tensor, Any], Tensor]
"""(x_BNAE, rotary) -> x_BNAE; `rotary` is whatever the host calls its rotary embedding."""


def sdpa(q_BNAE: Tensor, k_BTAE: Tensor, v_BTAE: Tensor) -> Tensor:
    """Full softmax attention by PyTorch, `[B, N, A * E]`."""
    q, k, v = (x.transpose(1, 2) for x in (q_BNAE, k_BTAE, v_BTAE))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def apply_rotary(x_BNAE: Tensor, rotary: Tensor) -> Tensor:
    """Each interleaved pair of `x_BNAE` turned by its angle in a `rotary_table`; dtype kept."""
    x1, x2 = x_BNAE.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = rotary.unbind(-1)
    # Written in place, in the dtype it is to have: stacking would pass all of it through memory once more, in fp32.
    turned = torch.empty_like(x_BNAE)
    pairs = turned.unflatten(-1, (-1, 2))
    pairs[..., 0] = x1 * cos - x2 * sin
    pairs[..., 1] = x1 * sin + x2 * cos
    return turned
