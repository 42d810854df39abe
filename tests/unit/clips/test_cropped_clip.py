from fractions import Fraction

import pytest
import torch

from reelpatch.clips.finish import Finish
from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

SIZE = (90, 140)


def clip(frames: int = 6) -> WorkedClip:
    pictures = torch.rand(frames, *SIZE, 3, generator=torch.Generator().manual_seed(0))
    return WorkedClip.of(pictures, Fraction(8), method="pad", sound="its sound", lattice=WAN.lattice)


def moving_mask(frames: int = 6) -> torch.Tensor:
    mask = torch.zeros(frames, *SIZE)
    for index in range(frames):
        mask[index, 30:44, 20 + 9 * index : 34 + 9 * index] = 1
    return mask


def around(mask: torch.Tensor, reach: int) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(mask[:, None], 2 * reach + 1, 1, reach)[:, 0] > 0


@pytest.mark.parametrize("size", [None, (96, 96), (160, 48)])
@pytest.mark.parametrize(
    "how", [Finish(), Finish(2, 4), Finish(0, 6, "edges"), Finish(-3, 5, match="histogram")]
)
def test_a_cropped_clip_is_stitched_back(how: Finish, size: tuple[int, int] | None) -> None:
    whole, mask = clip(), moving_mask()
    cropped, inner = whole.cropped_to(mask, margin_px=3, reach_px=6, size=size)
    assert cropped.sound == "its sound"
    assert cropped.frames.shape[1:3] == cropped.plan.size == (size or cropped.plan.size)
    assert inner.sum() == mask.sum()
    assert cropped.mask(inner).shape == cropped.frames.shape[:3]
    edited = 1 - cropped.frames
    results = [cropped.finished(edited, where, how) for where in (inner, mask)]
    assert torch.equal(*results)
    untouched = ~around(mask, max(0, how.grow_px + how.feather_px))
    assert torch.equal(results[0][untouched], whole.source[untouched])
    assert (results[0] != whole.source)[mask > 0].float().mean() > 0.5


def test_one_image_masks_all_frames_of_a_cropped_clip() -> None:
    whole, mask = clip(), moving_mask()
    still = mask.amax(0, keepdim=True)
    cropped, inner = whole.cropped_to(still, margin_px=0, reach_px=0)
    made = cropped.finished(1 - cropped.frames, still)
    assert torch.equal(made, cropped.finished(1 - cropped.frames, inner))
    assert torch.equal(made[:, still[0] == 0], whole.source[:, still[0] == 0])


def test_what_does_not_go_together_is_refused() -> None:
    whole, mask = clip(), moving_mask()
    cropped, inner = whole.cropped_to(mask, margin_px=0, reach_px=4)
    with pytest.raises(BadInput, match="cropped to a mask already"):
        cropped.cropped_to(inner, margin_px=0, reach_px=0)
    with pytest.raises(BadInput, match=r"reach 5 pixels .* set reach of Crop to mask to 5"):
        cropped.finished(cropped.frames, inner, Finish(2, 3))
    with pytest.raises(BadInput, match="none is connected"):
        whole.finished(whole.frames, None, Finish(feather_px=3))
    with pytest.raises(BadInput, match="0 everywhere"):
        whole.cropped_to(mask * 0, margin_px=0, reach_px=0)
