from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from reelpatch.clips.shown_beside import Measures, shown_beside

AFTER = Measures(5, (16, 32), Fraction(8))


def test_clips_that_are_alike_stand_beside_each_other_as_they_are() -> None:
    before = torch.rand(5, 16, 32, 3, generator=torch.Generator().manual_seed(0))
    for fps in (AFTER.fps, None, Fraction(24)):  # at another rate alone, the same frames are meant
        beside = shown_beside(replace(AFTER, fps=fps), AFTER)
        assert beside.told == ""
        assert beside.picks == (0, 1, 2, 3, 4)
        assert beside.frames(before) is before


@pytest.mark.parametrize(
    ("num_frames", "fps", "picks", "said"),
    [
        (9, Fraction(8), (0, 1, 2, 3, 4), "up to frame 4."),
        (9, None, (0, 1, 2, 3, 4), "up to frame 4."),
        (10, Fraction(16), (0, 2, 4, 6, 8), "the frames nearest in time; up to frame 8."),
        (3, Fraction(8), (0, 1, 2, 2, 2), "its last frame stands on."),
        (3, Fraction(4), (0, 1, 1, 2, 2), "the frames nearest in time."),
    ],
)
def test_another_length_is_met_by_number_or_by_time(
    num_frames: int, fps: Fraction | None, picks: tuple[int, ...], said: str
) -> None:
    beside = shown_beside(replace(AFTER, num_frames=num_frames, fps=fps), AFTER)
    assert beside.picks == picks
    start = f"Before ({num_frames} frames of 32x16) is shown as after is (5 frames of 32x16): "
    assert beside.told == start + said


def test_another_size_is_scaled_to_cover_and_cut_at_the_centre() -> None:
    before = torch.zeros(5, 32, 80, 3)
    before[:, :, 8:72] = 1  # 32x64 of it has the shape of 16x32
    beside = shown_beside(Measures(5, (32, 80), Fraction(8)), AFTER)
    shown = beside.frames(before)
    assert shown.shape == (5, 16, 32, 3)
    assert shown[:, :, 2:-2].min() > 0.99  # at the very edge the filter sees what was cut off
    assert beside.told.endswith("(5 frames of 32x16): scaled to cover that size, the overhang cut off.")
