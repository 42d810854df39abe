import math

import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.measure.drift import colour_drift, colour_offset, joins


def test_an_offset_is_that_of_the_mean_colour_in_levels() -> None:
    truth = torch.rand(6, 7, 3) / 2
    result = truth + torch.tensor([10.0, 0, -20]) / 255
    torch.testing.assert_close(
        colour_offset(result, truth).float(), torch.tensor([10.0, 0, -20]), atol=1e-4, rtol=0
    )
    assert colour_offset(result, truth, torch.zeros(6, 7)).isnan().all()


def test_a_steady_offset_is_no_drift_and_a_ramp_is_its_length() -> None:
    steady = torch.tensor([[5.0, -3, 9]]).expand(9, 3)
    drift = colour_drift(steady)
    assert drift is not None
    assert (drift.trend, drift.largest) == (0, 0)
    ramp = steady + torch.arange(9.0)[:, None] * torch.tensor([3.0, 0, 4])
    drift = colour_drift(ramp)
    assert drift is not None
    assert drift.trend == pytest.approx(40)
    assert drift.largest == pytest.approx(20)


def test_frames_without_pixels_are_left_out_of_the_drift() -> None:
    ramp = torch.arange(5.0)[:, None].expand(5, 3).clone()
    ramp[2] = math.nan
    drift = colour_drift(ramp)
    assert drift is not None
    assert drift.trend == pytest.approx(4 * math.sqrt(3))
    assert colour_drift(torch.full((5, 3), math.nan)) is None


def test_a_join_is_seen_against_the_changes_around_it() -> None:
    changes = [2.0] * 20
    changes[9] = 7
    (join,) = joins(changes, [2.0] * 20, [10])
    assert (join.frame, join.visibility, join.of_source) == (10, 3.5, 1)
    (still,) = joins([0.0] * 4, [0.0] * 4, [2])
    assert still.visibility == 1
    (jump,) = joins([0.0, 5, 0], [0.0] * 3, [2])
    assert jump.visibility == math.inf


@pytest.mark.parametrize("frame", [0, 4])
def test_a_join_that_nothing_comes_before_is_refused(frame: int) -> None:
    with pytest.raises(BadInput, match="frames 0 to 3: name the first frame"):
        joins([1.0] * 3, [1.0] * 3, [frame])
