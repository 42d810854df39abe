"""How the timestep acts on the tokens of a Wan block: a scale and a shift before each part of it, a gate after."""

import torch
from torch import Tensor


def modulated(normalised: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """`normalised * (1 + scale) + shift`, in the place of the first where no gradients are asked for."""
    if torch.is_grad_enabled():
        return normalised * (1 + scale) + shift
    return normalised.mul_(1 + scale).add_(shift)


def gated(x_BND: Tensor, update_BND: Tensor, gate: Tensor) -> Tensor:
    """`x + update * gate` in fp32: the gate is; without a copy of `x` where no gradients are asked for."""
    if torch.is_grad_enabled():
        return x_BND.float() + update_BND.float() * gate
    return (update_BND * gate).add_(x_BND)
