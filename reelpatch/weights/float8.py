"""fp8 weights as files hold them: a byte for each value and, in scaled files, a factor for each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.weights.header import KnownFile

FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)

# The older style has a marker for the whole file, the newer one a note of the format for each layer.
_MARKER = "scaled_fp8"
_FACTORS = (".scale_weight", ".weight_scale")
# Factors of activations and notes; weights are widened here, so that activations are never narrowed.
_UNUSED = (".scale_input", ".input_scale", ".comfy_quant")


@dataclass(frozen=True)
class Scaling:
    """The file's own key of the factor for each scaled weight, and its keys that are no weights at all.

    Source: kijai's and Comfy-Org's scaled files; ComfyUI 0.33, QUANTIZATION.md.
    """

    factors: Mapping[str, str]
    not_weights: frozenset[str]

    @classmethod
    def of(cls, file: KnownFile) -> Scaling:
        """Told from the header; a factor without its weight stays an ordinary key, and so an unknown one."""
        factors: dict[str, str] = {}
        notes: set[str] = set()
        for key in file.tensors:
            layer, _, end = key.rpartition(".")
            weight = f"{layer}.weight"
            if end == _MARKER:  # `rpartition` leaves a key without dots as its own end
                notes.add(key)
            elif weight in file.tensors and key.endswith((*_FACTORS, *_UNUSED)):
                notes.add(key)
                if key.endswith(_FACTORS):
                    factors[weight] = key
        return cls(factors, frozenset(notes))


def as_factor(stored: Tensor, num_rows: int, *, source: str) -> Tensor:
    """A layer's factor as fp32 [1, 1] or, where each row has its own, [rows, 1].

    Raises: `BadInput` for one that is NaN, infinite or negative, or of another shape.
    """
    factor = stored.float().reshape(-1, 1)
    if len(factor) not in (1, num_rows):
        raise BadInput(
            f"{source} has the shape {tuple(stored.shape)}, but one factor for the layer or for each of its "
            f"{num_rows} rows is read here; use the bf16, fp16 or fp8 file of the same weights."
        )
    if not bool((factor.isfinite() & (factor >= 0)).all()):
        raise BadInput(
            f"{source} is NaN, infinite or negative, but it scales a layer; download the file again."
        )
    return factor


def widened(stored: Tensor, factor: Tensor | None, dtype: torch.dtype) -> Tensor:
    """What a stored weight stands for, in `dtype`; the product is rounded once, from fp32."""
    if factor is None:
        return stored.to(dtype)
    # A factor of two axes, unlike a single number, is not rounded to the weight's dtype before it multiplies.
    factor = factor.reshape(-1, *(1,) * (stored.ndim - 1)) if stored.ndim else factor.reshape(())
    return stored.to(dtype, copy=True).mul_(factor)
