"""Windows of a long clip: they cover it, share what they should, and go over into each other without a step."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.windows.plan_windows import (
    FrameWindow,
    dissolve_latents,
    join_early,
    join_late,
    plan_windows,
    usual_overlap,
    without_step,
)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, int, int]:
    length = 4 * draw(st.integers(1, 30)) + 1
    overlap = 4 * draw(st.integers(0, length // 4 - 1)) + 1
    return draw(st.integers(1, 700)), length, overlap


@given(cuts())
def test_every_frame_is_in_a_window_and_no_window_is_too_many(cut: tuple[int, int, int]) -> None:
    frames, length, overlap = cut
    plan = plan_windows(frames, length, overlap, lattice=WAN.lattice)
    windows = plan.windows
    assert windows[0].first == 0
    assert windows[-1].end - frames in range(4)  # the last frame is repeated up to 4n + 1
    assert all(window.first % 4 == 0 and window.frames % 4 == 1 for window in windows)
    if len(windows) == 1:
        assert frames <= length
        return
    assert all(window.frames == length for window in windows)
    for before, after in itertools.pairwise(windows):
        assert after.overlap == before.end - after.first
        assert overlap <= after.overlap < length
    strides = {after.first - before.first for before, after in itertools.pairwise(windows)}
    assert max(strides) - min(strides) <= 4
    # With one window less they could not share as much.
    assert (len(windows) - 2) * (length - overlap) + length < windows[-1].end


def test_a_plan_says_what_will_be_done() -> None:
    plan = plan_windows(200, 73, 17, lattice=WAN.lattice)
    assert [(one.first, one.overlap) for one in plan.windows] == [(0, 0), (40, 33), (84, 29), (128, 29)]
    assert plan.describe() == (
        "The clip of 200 frames is worked on in 4 windows of 73 frames that share 29 to 33, from frame 0, 40, 84, 128."
    )
    assert plan.windows[1].first_latent == 10
    assert plan_windows(60, 73, 17, lattice=WAN.lattice).windows == (FrameWindow(0, 61, 0, 0),)


@pytest.mark.parametrize(("length", "overlap"), [(5, 1), (9, 5), (13, 5), (49, 9), (73, 17), (81, 17)])
def test_the_usual_overlap_is_a_quarter(length: int, overlap: int) -> None:
    assert usual_overlap(length, lattice=WAN.lattice) == overlap
    plan_windows(500, length, overlap, lattice=WAN.lattice)


@pytest.mark.parametrize(
    ("length", "overlap", "message"),
    [
        (72, 17, r"a window of 72 frames .* use 73"),
        (1, 1, r"use 5"),
        (-3, 1, r"a window of -3 frames"),
        (73, 16, r"an overlap of 16 frames .* from 1 to 69, such as 17"),
        (9, 9, r"from 1 to 5, such as 5"),
        (9, -3, r"an overlap of -3"),
    ],
)
def test_what_no_window_can_be_is_refused(length: int, overlap: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        plan_windows(500, length, overlap, lattice=WAN.lattice)


@given(cuts())
def test_every_frame_is_shown_once_and_joins_lie_within_a_latent_frame(cut: tuple[int, int, int]) -> None:
    windows = plan_windows(*cut, lattice=WAN.lattice).windows
    for join in (join_late, join_early):
        starts = [window.first + join(window.overlap, WAN.lattice) for window in windows]
        ends = [
            one.end - after.overlap + join(after.overlap, WAN.lattice)
            for one, after in itertools.pairwise(windows)
        ]
        assert starts[0] == 0
        assert starts[1:] == ends
        assert sorted(set(starts)) == starts
        for window, start in zip(windows[1:], starts[1:], strict=True):
            # Latent frames of a window hold its frame 0, then 1 to 4, 5 to 8, ...: a join lies before the third of four.
            assert (start - window.first) % 4 == (3 if window.overlap > 4 else 1)
            assert start <= window.first + window.overlap


def test_a_window_goes_on_without_a_step() -> None:
    shared = torch.rand(5, 2, 2, 3, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    part = torch.cat([shared, shared[-1:].expand(12, 2, 2, 3)]) + 0.18
    moved = without_step(part, shared)
    steps = moved[4:].diff(dim=0).abs().amax((1, 2, 3))
    torch.testing.assert_close(moved[5], shared[-1] + 0.18 / 5)
    assert steps[1:4].max() < 0.18 / 5 + 1e-6
    assert moved[9:].equal(part[9:])
    assert moved[:5].equal(part[:5])
    torch.testing.assert_close(without_step(part - 0.18, shared), part - 0.18)  # nothing to mend
    assert without_step(part[:7], shared).shape[0] == 7


def test_latents_dissolve_where_they_stand_for_the_same_time() -> None:
    before, after = torch.zeros(16, 3, 1, 1), torch.ones(16, 5, 1, 1)
    faded = dissolve_latents(before, after)
    # The first latent frame holds one frame, that of the window before holds four: it is not mixed.
    assert faded[0, :, 0, 0].tolist() == pytest.approx([1, 1 / 3, 2 / 3, 1, 1])
    assert dissolve_latents(torch.zeros(16, 1, 1, 1), after).equal(after)
