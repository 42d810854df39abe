"""Scaled fp8 weights of an edit module, as ComfyUI's own layers for quantised weights take them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import comfy.ops
import torch
from torch import Tensor

from reelpatch.weights.float8 import FLOAT8, Scaling, as_factor, widened
from reelpatch.weights.header import KnownFile

# What a layer's weight stands for is computed in this dtype; an fp8 value has four bits, so nothing of it is lost.
DTYPE = torch.bfloat16


@dataclass(frozen=True)
class ScaledWeights:
    """Weights by native name, and beside them each layer's factor and a note of its format."""

    weights: dict[str, Tensor]
    beside: dict[str, Tensor]


def scaled_weights(state: Mapping[str, Tensor], file: KnownFile, names: list[str]) -> ScaledWeights:
    """The named tensors of a scaled file; what is no matrix with one factor is widened here.

    Raises: `BadInput` for a factor that is not finite or has another shape.
    """
    scaling = Scaling.of(file)
    made = ScaledWeights({}, {})
    for name in names:
        key = file.keys[name]
        if key in scaling.not_weights:
            continue
        weight, factor = state[key], None
        if key in scaling.factors:
            source = f"{scaling.factors[key]} of {file.path}"
            factor = as_factor(state[scaling.factors[key]], len(weight), source=source)
        if factor is None:
            made.weights[name] = weight
        elif weight.ndim == 2 and factor.numel() == 1 and weight.dtype in FLOAT8:
            layer = name.rpartition(".")[0]
            made.weights[name] = weight
            made.beside[f"{layer}.weight_scale"] = factor.reshape(())
            made.beside[f"{layer}.comfy_quant"] = _note(weight.dtype)
        else:
            made.weights[name] = widened(weight, factor, DTYPE)
    return made


def operations() -> Any:
    """Layers that keep such weights in fp8 and widen them as they compute; activations are never narrowed to fp8."""
    return comfy.ops.mixed_precision_ops({"mixed_ops": True}, DTYPE, full_precision_mm=True)


def _note(dtype: torch.dtype) -> Tensor:
    text = json.dumps({"format": str(dtype).removeprefix("torch.")})
    return torch.tensor(list(text.encode()), dtype=torch.uint8)
