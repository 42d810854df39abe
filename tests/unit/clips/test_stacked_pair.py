import pytest
import torch

from reelpatch.clips.stacked_pair import stack


@pytest.mark.parametrize("size", [(32, 48), (33, 70), (70, 33), (1, 1), (16, 16)])
def test_both_clips_lie_in_it_unchanged(size: tuple[int, int]) -> None:
    before, after = torch.rand(2, 3, *size, 3, generator=torch.Generator().manual_seed(0))
    both = stack(before, after)
    height, width = both.size
    left, top = both.after_at
    assert (height, width) == size
    assert torch.equal(both.frames[:, :height, :width], before)
    assert torch.equal(both.frames[:, top : top + height, left : left + width], after)
    # Neither shares a block of the codec with the other, and codecs take the size.
    assert left % 16 == top % 16 == 0
    assert both.frames.shape[1] % 16 == both.frames.shape[2] % 16 == 0
    assert (top > 0) == (width > height)


def test_large_clips_are_made_smaller_in_their_shape() -> None:
    clip = torch.linspace(0, 1, 1920).expand(1, 40, 1920)[..., None].expand(-1, -1, -1, 3)
    both = stack(clip, clip)
    assert both.size == (27, 1280)
    assert both.frames.shape == (1, 64, 1280, 3)
    assert both.frames.min() >= 0
    assert both.frames.max() <= 1
    assert abs(float(both.frames[0, 0, 640, 0]) - 0.5) < 0.01
