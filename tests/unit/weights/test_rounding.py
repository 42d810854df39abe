"""Stochastic rounding keeps what a dtype has, hits only neighbours, and is right on average."""

import pytest
import torch

from reelpatch.weights.rounding import round_stochastically

NARROW = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.bfloat16]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_values(dtype: torch.dtype) -> torch.Tensor:
    if dtype.itemsize == 1:
        return torch.arange(256, dtype=torch.uint8).view(dtype)
    return torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)


@pytest.mark.parametrize("dtype", NARROW)
def test_every_value_of_the_dtype_stays(dtype: torch.dtype) -> None:
    values = all_values(dtype).float()
    values = values[values.isfinite()]
    if dtype == torch.bfloat16:
        values = values[values.abs() > 1e-35]  # below, steps are wider than bf16's own
    assert torch.equal(round_stochastically(values, dtype, seeded()).float(), values)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("size", [3e-4, 0.02, 1.0, 30.0])
def test_only_neighbours_are_hit_and_the_mean_is_right(dtype: torch.dtype, size: float) -> None:
    values = size * (2 * torch.rand(64, generator=seeded(1)) - 1)
    draws = round_stochastically(values.expand(4000, 64), dtype, seeded()).float()
    step = draws.amax(0) - draws.amin(0)
    nearest = values.to(dtype).float()
    assert ((draws - values).abs() <= (step + 1e-12)).all()
    assert all(column.unique().numel() <= 2 for column in draws.T)
    assert (draws == nearest).any(0).all()
    # A share p of draws has a spread of at most half a step; six of its standard errors over 4000 draws.
    assert ((draws.mean(0) - values).abs() <= 6 * 0.5 * step / 4000**0.5 + 1e-7 * size).all()


@pytest.mark.parametrize("dtype", NARROW)
def test_what_is_too_large_becomes_the_largest(dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    rounded = round_stochastically(torch.tensor([3e38, -3.3e38, largest]), dtype, seeded()).float()
    if dtype != torch.bfloat16:
        assert rounded.tolist() == [largest, -largest, largest]
    assert rounded.isfinite().all()


def test_a_seed_repeats_itself_and_another_differs() -> None:
    values = torch.randn(200, generator=seeded())
    first, again, other = (round_stochastically(values, torch.bfloat16, seeded(s)) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_change_below_half_a_step_survives_on_average() -> None:
    weights = torch.full((20_000,), 1.0)
    change = 2.0**-6  # an eighth of fp8's step of 2**-3 there; rounding to nearest drops it everywhere
    assert torch.equal((weights + change).to(torch.float8_e4m3fn).float(), weights)
    rounded = round_stochastically(weights + change, torch.float8_e4m3fn, seeded()).float()
    assert abs(float(rounded.mean()) - 1 - change) < 0.1 * change
