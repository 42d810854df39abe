import pytest
import torch

from reelpatch.clips.colour_match import match_colour


def clip(frames: int = 6, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.2 + 0.5 * torch.rand(frames, 16, 20, 3, generator=generator)


SOURCE = clip()
KEPT = torch.ones(6, 16, 20, dtype=torch.bool)
KEPT[:, 4:12, 5:15] = False
CAST = torch.tensor([0.9, 1.1, 1.0]), torch.tensor([0.08, -0.07, 0.06])


@pytest.mark.parametrize("by", ["mean", "histogram"])
@pytest.mark.parametrize("smooth_frames", [0, 2.0])
def test_a_cast_over_everything_is_taken_off_and_the_edit_stays(by: str, smooth_frames: float) -> None:
    wanted = SOURCE.clone()
    wanted[~KEPT] = wanted[~KEPT] * 0.5 + 0.2  # the edit itself
    edited = wanted * CAST[0] + CAST[1]
    matched = match_colour(edited, SOURCE, KEPT, by=by, smooth_frames=smooth_frames)
    tolerance = 1e-5 if by == "mean" else 3 / 255
    assert (edited - wanted).abs().mean() > 0.02
    assert (matched - wanted).abs().mean() < tolerance


@pytest.mark.parametrize(("by", "tolerance"), [("mean", 1e-5), ("histogram", 0.5 / 255)])
def test_colours_that_match_stay(by: str, tolerance: float) -> None:
    source = (SOURCE * 255).round() / 255
    assert (match_colour(source, source, KEPT, by=by) - source).abs().max() <= tolerance


def test_a_curve_that_no_gain_undoes_is_undone_by_the_histogram() -> None:
    source = clip(2)
    edited = source.sqrt()
    errors = [
        float((match_colour(edited, source, None, by=by) - source).abs().mean())
        for by in ("mean", "histogram")
    ]
    assert errors[1] < 2 / 255 < errors[0] * 2
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("by", ["mean", "histogram"])
def test_one_match_for_the_clip_leaves_its_own_changes_of_light(by: str) -> None:
    edited = SOURCE.clone()
    edited[3] += 0.1
    whole = match_colour(edited, SOURCE, None, by=by, smooth_frames=0)
    close = match_colour(edited, SOURCE, None, by=by, smooth_frames=0.1)
    jump = [
        float(one[3].mean() - one[2].mean() - (SOURCE[3].mean() - SOURCE[2].mean())) for one in (whole, close)
    ]
    assert jump[0] == pytest.approx(0.1, abs=0.03)
    assert jump[1] == pytest.approx(0, abs=0.003)


@pytest.mark.parametrize("by", ["mean", "histogram"])
def test_frames_without_kept_pixels_follow_their_neighbours(by: str) -> None:
    kept = KEPT.clone()
    kept[2] = False
    edited = SOURCE * CAST[0] + CAST[1]
    matched = match_colour(edited, SOURCE, kept, by=by, smooth_frames=1.0)
    assert matched.isfinite().all()
    assert (matched[2] - SOURCE[2]).abs().mean() < 0.015
    assert torch.equal(match_colour(edited, SOURCE, torch.zeros_like(kept), by=by), edited)


@pytest.mark.parametrize("by", ["mean", "histogram"])
def test_plain_surfaces_are_moved_and_not_stretched(by: str) -> None:
    source, edited = torch.full((2, 8, 8, 3), 0.4), torch.full((2, 8, 8, 3), 0.6)
    matched = match_colour(edited, source, None, by=by)
    assert (matched - source).abs().max() < 0.5 / 255
