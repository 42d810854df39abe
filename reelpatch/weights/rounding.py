"""Rounding that is right on average, for changes smaller than the steps of a narrow dtype."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor


class _Grid(NamedTuple):
    """A dtype's values: bits of the fraction, exponent of the smallest normal number, largest number."""

    bits: int
    min_exponent: int
    largest: float


_GRIDS = {
    torch.float8_e4m3fn: _Grid(3, -6, 448.0),
    torch.float8_e5m2: _Grid(2, -14, 57344.0),
    torch.float16: _Grid(10, -14, 65504.0),
    # True is -126. So small a step could not be computed in float32, and no weight is below 1e-36.
    torch.bfloat16: _Grid(7, -119, torch.finfo(torch.bfloat16).max),
}


def round_stochastically(values: Tensor, dtype: torch.dtype, generator: Generator) -> Tensor:
    """Each value as one of its two neighbours in `dtype`, the nearer one more often, so that the mean is the value.

    Values that `dtype` has stay as they are; values beyond its range become its largest. fp32 comes back as it is.
    `generator` is one of the CPU, so that a seed means the same on every device.
    Source: what ComfyUI does when it merges LoRAs into fp8 weights.
    """
    values = values.float()
    if dtype == torch.float32:
        return values
    grid = _GRIDS[dtype]
    # frexp gives a fraction from 0.5, so that its exponent is one above the customary one.
    exponents = (torch.frexp(values).exponent - 1).clamp(min=grid.min_exponent)
    steps = torch.ldexp(torch.ones_like(values), exponents - grid.bits)
    chance = torch.rand(values.shape, generator=generator).to(values.device)
    whole = torch.floor(values / steps)
    rounded = (whole + (chance < values / steps - whole)) * steps
    return rounded.clamp(-grid.largest, grid.largest).to(dtype)
