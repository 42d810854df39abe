"""Which step does what, and that a host which only knows noise levels comes to the same answer."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reelpatch.errors import BadInput
from reelpatch.sampling.condition_sets import ConditionSet
from reelpatch.sampling.guidance import Guidance, SkipLayers
from reelpatch.sampling.schedules import make_sigmas, step_of, timestep
from reelpatch.sampling.step_range import StepRange

FRACTIONS = st.integers(0, 20).map(lambda n: n / 20)
WINDOWS = st.tuples(FRACTIONS, FRACTIONS).map(sorted).map(lambda ends: StepRange(*ends))


def test_guidance_goes_past_the_positive_prediction() -> None:
    cond, uncond = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 5.0])
    told = {ConditionSet(is_instructed=True): cond, ConditionSet(is_instructed=False): uncond}
    assert Guidance(5.0).chain(0).combine(told).tolist() == [6.0, 0.0]
    assert torch.equal(Guidance(1.0).chain(0).combine(told), cond)
    assert torch.equal(Guidance(0.0).chain(0).combine(told), uncond)


def test_guidance_pays_for_a_second_pass_only_where_it_acts() -> None:
    assert [Guidance(1.2).enabled(step) for step in range(3)] == [True, True, True]
    assert not any(Guidance(1.0).enabled(step) for step in range(3))
    assert [Guidance(5.0, range(1)).enabled(step) for step in range(3)] == [True, False, False]
    assert [Guidance(5.0, frozenset({0, 2})).enabled(step) for step in range(3)] == [True, False, True]


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_guidance_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(BadInput, match="use 1 for none"):
        Guidance(scale)


def test_ditto_skips_block_2_in_steps_1_and_2() -> None:
    skip = SkipLayers(blocks=(2,), start=0.2, end=0.7)
    assert [step for step in range(4) if skip.active(step, 4)] == [1, 2]


@pytest.mark.parametrize(
    ("ends", "steps", "active"),
    [
        ((0.0, 1.0), 4, [0, 1, 2, 3]),
        ((0.0, 0.1), 4, [0]),
        ((0.0, 0.0), 4, [0]),
        ((0.25, 0.5), 4, [1, 2]),
        ((0.3, 0.4), 4, []),
        ((0.8, 1.0), 4, []),  # the last step stands at 0.75
        ((0.0, 0.7), 10, list(range(8))),
    ],
)
def test_both_ends_of_a_window_belong_to_it(ends: tuple[float, float], steps: int, active: list[int]) -> None:
    assert [step for step in range(steps) if StepRange(*ends).active(step, steps)] == active


@pytest.mark.parametrize("ends", [(-0.1, 1), (0, 1.1), (0.6, 0.5), (float("nan"), 1)])
def test_a_window_outside_the_run_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match="use 0 and 1"):
        StepRange(*ends)
    with pytest.raises(BadInput):
        SkipLayers((2,), *ends)


@settings(deadline=None)  # machines under load stall
@given(
    window=WINDOWS,
    schedule=st.sampled_from(["native", "kijai", "diffusers", "euler"]),
    steps=st.integers(1, 60),
    shift=st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0]),
)
def test_noise_levels_tell_the_same_as_steps(
    window: StepRange, schedule: str, steps: int, shift: float
) -> None:
    sigmas = make_sigmas(schedule, steps, shift=shift)
    levels = sigmas[:-1].tolist()
    whole = [timestep(level, truncate=True) / 1000 for level in levels]
    by_step = [window.active(step, steps) for step in range(steps)]
    assert [window.active(step_of(sigmas, level), steps) for level in levels] == by_step
    assume(len(set(whole)) == steps)
    cut = [min(one, level) for one, level in zip(whole, levels, strict=True)]
    assert [window.active(step_of(sigmas, level), steps) for level in cut] == by_step


def test_inner_levels_of_a_step_count_as_that_step() -> None:
    sigmas = make_sigmas("euler", 4, shift=1)  # 1, .75, .5, .25
    within = StepRange(0.25, 0.5)
    levels = (0.9, 0.751, 0.75, 0.6, 0.3, 0.25, 0.1)
    assert [level for level in levels if within.active(step_of(sigmas, level), 4)] == [0.75, 0.6, 0.3]
