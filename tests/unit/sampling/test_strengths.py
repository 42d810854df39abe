"""Strengths share the steps of a run."""

import pytest

from reelpatch.errors import BadInput
from reelpatch.sampling.strengths import StrengthSchedule


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ((0.8,), [0.8] * 4),
        ((1.0, 0.0), [1.0, 1.0, 0.0, 0.0]),
        ((1.0, 0.5, 0.0), [1.0, 1.0, 0.5, 0.0]),
        ((1.0, 0.7, 0.4, 0.1), [1.0, 0.7, 0.4, 0.1]),
    ],
)
def test_values_share_the_steps_in_order(values: tuple[float, ...], steps: list[float]) -> None:
    schedule = StrengthSchedule(values)
    assert [schedule.at(step, len(steps)) for step in range(len(steps))] == steps
    assert schedule.is_constant == (len(values) == 1)


@pytest.mark.parametrize("values", [(), (float("nan"),), (1.0, float("inf"))])
def test_what_is_no_number_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="not all numbers"):
        StrengthSchedule(values)


def test_more_values_than_steps_are_refused() -> None:
    with pytest.raises(BadInput, match="3 strengths were given for a run of 2 steps"):
        StrengthSchedule((1.0, 0.5, 0.0)).at(0, 2)
