"""NaN and infinity are found in every float dtype, and the largest honest values are not taken for them."""

import pytest
import torch

from reelpatch.weights.finite import is_finite

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]


@pytest.mark.parametrize(
    ("dtype", "value"),
    # e4m3fn has no infinity.
    [
        (dtype, float(value))
        for dtype in DTYPES
        for value in ("nan", "inf", "-inf")
        if (dtype, value[-3:]) != (DTYPES[3], "inf")
    ],
)
def test_one_bad_value_is_found(dtype: torch.dtype, value: float) -> None:
    values = torch.zeros(5, 7)
    values[3, 2] = value
    assert not is_finite(values.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_and_nothing_are_finite(dtype: torch.dtype) -> None:
    limits = torch.finfo(dtype)
    assert is_finite(torch.tensor([limits.min, 0.0, limits.max]).to(dtype))
    assert is_finite(torch.zeros(0, dtype=dtype))
