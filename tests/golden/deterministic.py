"""Weights and inputs that anyone can make from names and shapes alone.

The *.json files beside this one hold statistics of what the official Wan code returns for them, on CPU in float32.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Shape = tuple[int, ...]
Rule = Callable[[str, Shape], tuple[float, float]]  # (name, shape) -> (offset, scale)


def make_weights(shapes: Mapping[str, Shape], rule: Rule) -> dict[str, Tensor]:
    """float32 weights under the names of `shapes`, which must be the native ones: their order is part of it."""
    weights: dict[str, Tensor] = {}
    for index, (name, shape) in enumerate(sorted(shapes.items())):
        offset, scale = rule(name, shape)
        wave = torch.sin(0.7 * _count(shape) + index).view(shape)
        weights[name] = (offset + scale * wave).float()
    return weights


def make_input(shape: Shape, a: float = 0.11, b: float = 0.0) -> Tensor:
    """A float32 input of the given shape."""
    j = _count(shape)
    return torch.sin(a * j**2 / 97 + 0.31 * j + b).float().view(shape)


def wan_rule(name: str, shape: Shape) -> tuple[float, float]:
    """For the transformer, edit module included."""
    if len(shape) >= 2:
        return (0.0, 0.1) if name.endswith("modulation") else (0.0, _by_fan(shape))
    is_norm = "norm" in name and name.endswith("weight")
    return (1.0, 0.1) if is_norm or name.endswith(("proj.0.weight", "proj.4.weight")) else (0.0, 0.1)


def vae_rule(name: str, shape: Shape) -> tuple[float, float]:
    """For the VAE."""
    if name.endswith("gamma"):
        return 1.0, 0.1
    return 0.0, _by_fan(shape) if len(shape) >= 2 else 0.1


def t5_rule(name: str, shape: Shape) -> tuple[float, float]:
    """For the UMT5 encoder."""
    return (1.0, 0.1) if "norm" in name else (0.0, _by_fan(shape))


def _count(shape: Shape) -> Tensor:
    return torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)


def _by_fan(shape: Shape) -> float:
    return 1.5 / math.sqrt(math.prod(shape) / shape[0])
