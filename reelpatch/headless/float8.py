"""Weights that stay fp8 in memory and are widened layer by layer, as they are used."""

import torch
from torch import Tensor, nn
from torch.nn import functional

FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)


class Float8Linear(nn.Linear):
    """A linear layer whose weight takes the input's dtype for the length of one call.

    Every fp8 value is exact in fp16, bf16 and fp32, so the result is that of the widened weight. (diffusers'
    layerwise casting sends the whole layer back to fp8 after each call, which would round its bias.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight.to(input.dtype), self.bias)


class Float8Operations:
    """torch's layers for an edit module, its linear ones able to hold fp8."""

    Linear = Float8Linear
    Conv3d = nn.Conv3d
    LayerNorm = nn.LayerNorm
    RMSNorm = nn.RMSNorm


def widen_at_use(model: nn.Module, layer: str) -> None:
    """Puts an empty `Float8Linear` of the same size in the place of a linear layer."""
    linear = model.get_submodule(layer)
    if not isinstance(linear, nn.Linear):
        raise TypeError(f"{layer} is a {type(linear).__name__}, which can't hold fp8 weights")
    has_bias = "bias" in linear.state_dict()
    model.set_submodule(
        layer, Float8Linear(linear.in_features, linear.out_features, bias=has_bias, device="meta")
    )
