"""Every published grid, to the digits it was printed with; golden/schedules.json holds them."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpatch.errors import BadInput
from reelpatch.sampling.schedules import SCHEDULES, high_noise_steps, make_sigmas, timestep

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "schedules.json").read_text())
TABLES = [
    pytest.param(row, id=f"{row['schedule']}-{row['steps']}-{row['shift']}") for row in GOLDEN["tables"]
]


@pytest.mark.parametrize("row", TABLES)
def test_published_sigmas(row: dict) -> None:
    sigmas = make_sigmas(row["schedule"], row["steps"], shift=row["shift"])
    assert sigmas.dtype == torch.float32
    assert sigmas.device.type == "cpu"
    # Half of the last printed digit, and what fp32 rounds.
    assert sigmas.tolist() == pytest.approx([*row["sigmas"], 0], rel=0, abs=5e-7 + 6e-8)


@pytest.mark.parametrize("row", [row for row in TABLES if "timesteps" in row.values[0]])
def test_published_timesteps(row: dict) -> None:
    sigmas = make_sigmas(row["schedule"], row["steps"], shift=row["shift"])[:-1].tolist()
    if row["truncate"]:
        assert [timestep(sigma, truncate=True) for sigma in sigmas] == row["timesteps"]
    else:
        exact = [timestep(sigma, truncate=False) for sigma in sigmas]
        assert exact == pytest.approx(row["timesteps"], rel=0, abs=5e-3)  # printed with two to six digits


@pytest.mark.parametrize(("steps", "shift", "boundary", "high"), GOLDEN["expert_splits"])
def test_published_expert_splits(steps: int, shift: float, boundary: float, high: int) -> None:
    assert high_noise_steps(make_sigmas("native", steps, shift=shift), boundary) == high


@settings(deadline=None)  # machines under load stall
@given(
    st.sampled_from(["native", "kijai", "diffusers", "euler"]),
    st.integers(1, 200),
    st.floats(0.5, 20),
)
def test_any_grid_falls_from_noise_to_zero(name: str, steps: int, shift: float) -> None:
    sigmas = make_sigmas(name, steps, shift=shift)
    assert len(sigmas) == steps + 1
    assert sigmas[-1] == 0
    assert sigmas[0] <= 1
    assert bool((sigmas.diff() < 0).all())


@settings(deadline=None)  # machines under load stall
@given(st.integers(1, 1000))
def test_timestep_survives_the_rounding_to_fp32(whole: int) -> None:
    rounded = torch.tensor(whole / 1000).item()
    assert timestep(rounded, truncate=True) == whole
    assert timestep(rounded - 2e-7, truncate=True) == whole - 1


@pytest.mark.parametrize(
    ("name", "steps", "shift", "sentence"),
    [
        ("karras", 4, 5, "no schedule 'karras'.*native"),
        ("native", 0, 5, "at least 1"),
        ("native", 4, 0, "shift is 0"),
        ("native", 4, float("nan"), "shift is nan"),
        ("warped", 5, 5, "published for 4 steps"),
        ("causvid-14b", 10, 1, "has 9 levels"),
        ("causvid-14b", 4, 5, "takes no shift"),
        ("causvid-bidirectional", 3, 8, "takes no shift"),
    ],
)
def test_what_a_schedule_cannot_do(name: str, steps: int, shift: float, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        make_sigmas(name, steps, shift=shift)


def test_every_name_has_a_tested_table() -> None:
    assert {row["schedule"] for row in GOLDEN["tables"]} | {"diffusers-0.35"} == set(SCHEDULES)
    assert SCHEDULES["diffusers-0.35"] is SCHEDULES["native"]
