import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpatch.clips.crop import crop, plan_crop, stitch
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN


def moving_mask(
    frames: int = 12, height: int = 128, width: int = 192, side: int = 24, step: int = 9
) -> torch.Tensor:
    mask = torch.zeros(frames, height, width)
    for index in range(frames):
        left = 8 + step * index
        mask[index, 40 : 40 + side, left : left + side] = 1
    return mask


def test_the_box_follows_the_mask_and_is_much_smaller() -> None:
    mask = moving_mask()
    plan = plan_crop(mask, multiple=WAN.lattice.size_multiple)
    assert plan.size == (64, 64)
    assert plan.savings == 6
    lefts = [left for _, left in plan.corners]
    assert lefts == sorted(lefts)
    assert float(crop(mask, plan).sum()) == float(mask.sum())
    assert "64x64" in plan.describe()
    assert "192x128" in plan.describe()


def test_the_box_moves_more_smoothly_than_a_mask_that_trembles() -> None:
    mask = torch.zeros(24, 128, 128)
    tops = [50 + (7 if index % 2 else -7) for index in range(24)]
    for index, top in enumerate(tops):
        mask[index, top : top + 16, 40:60] = 1
    rows = torch.tensor([top for top, _ in plan_crop(mask, multiple=WAN.lattice.size_multiple).corners])
    assert rows.diff().abs().max() <= 1


def test_an_empty_stretch_is_bridged() -> None:
    mask = moving_mask()
    mask[4:9] = 0
    plan = plan_crop(mask, multiple=WAN.lattice.size_multiple)
    lefts = [left for _, left in plan.corners]
    assert lefts[3] <= lefts[6] <= lefts[9]


def test_stitching_undoes_cropping_and_changes_nothing_else() -> None:
    source, mask = torch.rand(12, 128, 192, 3), moving_mask()
    plan = plan_crop(mask, multiple=WAN.lattice.size_multiple)
    assert torch.equal(stitch(crop(source, plan), plan, source), source)
    edited = stitch(torch.zeros(12, *plan.size, 3), plan, source)
    changed = (edited != source).any(-1)
    assert int(changed.sum()) == 12 * 64 * 64
    assert changed[mask > 0].all()


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    margin=st.integers(0, 40),
    seed=st.integers(0, 1000),
)
def test_a_box_holds_its_mask_and_lies_in_the_picture(
    height: int, width: int, margin: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(5, height, width, generator=generator) > 0.995).float()
    mask[2, seed % height, seed % width] = 1
    plan = plan_crop(mask, margin_px=margin, multiple=WAN.lattice.size_multiple)
    for frame, (top, left) in zip(mask, plan.corners, strict=True):
        assert 0 <= top <= height - plan.size[0]
        assert 0 <= left <= width - plan.size[1]
        part = frame[top : top + plan.size[0], left : left + plan.size[1]]
        assert part.sum() == frame.sum()
    for side, whole in zip(plan.size, (height, width), strict=True):
        assert side % 16 == 0 or side == whole


@pytest.mark.parametrize("side", [0.15, 0.3, 0.44])
def test_masks_under_a_fifth_of_the_picture_need_half_the_tokens(side: float) -> None:
    mask = torch.zeros(6, 240, 416)
    high, wide = round(side * 240), round(side * 416)
    for index in range(6):
        mask[index, 10 + 5 * index : 10 + 5 * index + high, 12 + 9 * index : 12 + 9 * index + wide] = 1
    assert float(mask.mean()) < 0.2
    assert plan_crop(mask, multiple=WAN.lattice.size_multiple).savings >= 2


def test_what_cannot_be_cropped_is_refused() -> None:
    with pytest.raises(BadInput, match="0 everywhere"):
        plan_crop(torch.zeros(2, 32, 32), multiple=WAN.lattice.size_multiple)
    with pytest.raises(BadInput, match="margin of the crop"):
        plan_crop(moving_mask(), margin_px=-1, multiple=WAN.lattice.size_multiple)
