from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelpatch.clips.cover import cover
from reelpatch.edits.vace.sizing import TokenBudget, even_picks, plan_size
from reelpatch.errors import BadInput

SMALL, LARGE = TokenBudget.of(81, 480, 832), TokenBudget.of(81, 720, 1280)


def test_the_published_budgets() -> None:
    assert (SMALL.tokens, LARGE.tokens) == (32760, 75600)


@pytest.mark.parametrize(
    ("frames", "size", "budget", "worked_size", "worked_frames"),
    [
        (161, (720, 1280), SMALL, (480, 832), 81),
        (161, (720, 1280), LARGE, (720, 1280), 81),
        (69, (432, 1024), SMALL, (416, 960), 69),
        (30, (1280, 720), SMALL, (848, 464), 29),
        (1, (200, 200), SMALL, (192, 192), 1),  # never enlarged
        (
            400,
            (240, 416),
            SMALL,
            (240, 416),
            333,
        ),  # small frames leave tokens for more of them: 32760 / 390 = 84
        (9, (64, 64), TokenBudget.of(9, 64, 64), (64, 64), 9),
    ],
)
def test_sizes_and_lengths_worked_out_by_hand(
    frames: int, size: tuple[int, int], budget: TokenBudget, worked_size: tuple[int, int], worked_frames: int
) -> None:
    plan = plan_size(frames, size, budget)
    assert (plan.size, plan.frames) == (worked_size, worked_frames)


@given(
    st.integers(1, 400),
    st.integers(16, 2000),
    st.integers(16, 2000),
    st.sampled_from([SMALL, LARGE, TokenBudget.of(9, 64, 64)]),
    st.sampled_from(["first", "uniform"]),
)
def test_every_plan_is_legal_and_within_the_budget(
    frames: int, height: int, width: int, budget: TokenBudget, sampling: str
) -> None:
    try:
        plan = plan_size(frames, (height, width), budget, sampling=sampling)
    except BadInput:
        # Only what is more than twice as long as the tokens of a frame are many has no room for its short side.
        assert max(height / width, width / height) > 2 * float(budget.frame_tokens) / 4
        return
    rows, columns = plan.size[0] / 16, plan.size[1] / 16
    assert rows == int(rows) >= 1
    assert columns == int(columns) >= 1
    assert plan.frames % 4 == 1
    assert rows * columns * ((plan.frames - 1) // 4 + 1) <= budget.tokens
    assert plan.picks[0] == 0
    assert list(plan.picks) == sorted(set(plan.picks))
    assert plan.picks[-1] <= frames - 1
    assert plan.describe().endswith(".")


def test_even_picks_reach_the_last_frame() -> None:
    assert even_picks(5, 5) == (0, 1, 2, 3, 4)
    assert even_picks(161, 81)[-1] == 160
    # The middle of the last of 10 frames is at 9.5; nine moments are 1.1875 apart.
    assert even_picks(10, 9) == (0, 1, 2, 3, 4, 5, 7, 8, 9)


def test_even_picks_follow_the_times_of_a_clip_without_a_fixed_rate() -> None:
    times = [Fraction(number, 10) for number in (0, 1, 2, 3, 8, 9)]  # frame 3 is shown for half a second
    assert even_picks(6, 5, times) == (0, 2, 3, 3, 5)


def test_a_plan_says_what_is_left_out() -> None:
    assert "the last 2 frames are left out" in plan_size(7, (64, 64), SMALL, sampling="first").describe()
    assert "picked evenly from all 162" in plan_size(162, (720, 1280), SMALL).describe()
    assert "overhang cut off" in plan_size(5, (70, 64), SMALL).describe()
    assert "as it is" in plan_size(5, (64, 64), SMALL).describe()


def test_cover_crops_the_centre_and_leaves_a_fitting_clip_alone() -> None:
    clip = torch.rand(2, 20, 40, 3)
    assert cover(clip, (20, 40)) is clip
    ramp = torch.linspace(0, 1, 64)[None, None, :, None].expand(1, 32, 64, 3)
    covered = cover(ramp, (32, 32))
    assert covered.shape == (1, 32, 32, 3)
    assert torch.allclose(covered[0, 0, :, 0], ramp[0, 0, 16:48, 0], atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(
    ("frames", "size", "words"),
    [(10, (64, 64), "use 9"), (9, (60, 64), "use 64x64"), (0, (64, 64), r"use 1\.")],
)
def test_a_budget_has_to_be_of_a_legal_clip(frames: int, size: tuple[int, int], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        TokenBudget.of(frames, *size)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(BadInput, match="at least one"):
        plan_size(5, (10, 64), SMALL)
    with pytest.raises(BadInput, match="too long and narrow"):
        plan_size(5, (16, 6000), TokenBudget.of(5, 64, 64))
