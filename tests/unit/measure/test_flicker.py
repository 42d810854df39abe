import pytest
import torch

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.headless.demo import scenes
from reelpatch.measure.flicker import visible, warp, warp_error
from reelpatch.measure.optical_flow import flow_both_ways


def uniform(right: float, down: float, height: int = 12, width: int = 16) -> torch.Tensor:
    return torch.tensor([float(right), float(down)]).expand(height, width, 2)


def test_a_warp_fetches_from_where_the_flow_points() -> None:
    image = torch.rand(12, 16, 3)
    moved = warp(image, uniform(3, -2))
    torch.testing.assert_close(moved[2:, :13], image[:10, 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        warp(image, uniform(0.5, 0))[:, :15], (image[:, 1:] + image[:, :-1]) / 2, atol=1e-5, rtol=0
    )


def test_what_leaves_the_picture_or_does_not_come_back_is_not_visible() -> None:
    seen = visible(uniform(3, 0), uniform(-3, 0))
    assert seen[:, :13].all()
    assert not seen[:, 13:].any()
    assert not visible(uniform(3, 0), uniform(0, 0)).any()


def test_pure_motion_has_no_error_and_a_change_of_light_has_its_own() -> None:
    wide = torch.rand(12, 20, 3) / 2
    frame, following = wide[:, 4:], wide[:, 1:17]
    flows = uniform(3, 0), uniform(-3, 0)
    assert warp_error(frame, following, *flows) == pytest.approx(0, abs=1e-6)
    assert warp_error(frame, following + 0.1, *flows) == pytest.approx(0.1, abs=1e-5)
    assert warp_error(frame, following, uniform(0, 0), uniform(0, 0)) > 0.1
    assert warp_error(frame, following, *flows, torch.zeros(12, 16)) is None


def test_motion_does_not_depend_on_what_was_looked_at_before() -> None:
    """OpenCV changes the scales of a finder for good once it has seen a small picture."""
    film = to_bytes(torch.from_numpy(scenes.example(scenes.HELD_OUT).source))
    before = flow_both_ways(film[0], film[4])
    flow_both_ways(film[0, ::2, ::2].copy(), film[4, ::2, ::2].copy())
    after = flow_both_ways(film[0], film[4])
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
