import torch

from reelpatch.clips.edge_blend import follow_edges
from reelpatch.clips.finish import paste_back
from reelpatch.clips.masks import feather_mask

# The picture has an upright edge at column 20; the mask ends 3 pixels beside it.
SOURCE = torch.zeros(2, 24, 40, 3)
SOURCE[:, :, 20:] = 0.8
MASK = torch.zeros(2, 24, 40)
MASK[:, :, 23:] = 1
WANTED = (torch.arange(40) >= 20).float().expand(2, 24, 40)


def test_the_ramp_goes_to_the_edge_of_the_picture() -> None:
    soft = feather_mask(MASK, px=8)
    drawn = follow_edges(soft, MASK, SOURCE, radius_px=8)
    off, was_off = ((one - WANTED).abs().sum(2).mean() for one in (drawn, soft))
    assert off < 0.8 * was_off
    step = drawn[0, 12, 20] - drawn[0, 12, 19]
    assert step > 3 * (soft[0, 12, 20] - soft[0, 12, 19])


def test_the_ends_of_the_ramp_stay_where_they_are() -> None:
    soft = feather_mask(MASK, px=8)
    drawn = follow_edges(soft, MASK, SOURCE, radius_px=8)
    ends = (soft == 0) | (soft == 1)
    assert ends.any()
    assert torch.equal(drawn[ends], soft[ends])
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert torch.equal(follow_edges(MASK, MASK, SOURCE, radius_px=0), MASK)


def test_a_flat_picture_holds_no_ramp() -> None:
    flat = torch.full_like(SOURCE, 0.5)
    soft = feather_mask(MASK, px=8)
    drawn = follow_edges(soft, MASK, flat, radius_px=8)[0, 12]
    assert (drawn.diff() > -1e-6).all()
    assert drawn.diff().max() < 0.2


def test_pasting_along_edges_touches_nothing_beyond_the_feather() -> None:
    edited = torch.ones_like(SOURCE)
    result = paste_back(edited, SOURCE, MASK, feather_px=4, blend="edges")
    assert torch.equal(result[:, :, :19], SOURCE[:, :, :19])
    assert torch.equal(result[:, :, 28:], edited[:, :, 28:])
