import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelpatch.clips.masks import build_mask, check_mask, feather_mask, grow_mask, luma, time_reach
from reelpatch.edits.vace.context import fold_mask
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

lengths = st.integers(0, 20).map(lambda n: 4 * n + 1)


def test_fold_has_the_published_layout() -> None:
    """Numbers produced by the official VACE code (systems K.5)."""
    folded = fold_mask(torch.arange(5 * 16 * 24).reshape(5, 16, 24))
    assert folded.shape == (64, 2, 2, 3)
    # The last one would be 410 in the first latent frame: frames 1 and 3 of 5 are picked.
    expected = {
        (0, 0, 0, 0): 384,
        (1, 0, 0, 0): 385,
        (8, 0, 0, 0): 408,
        (63, 1, 1, 2): 1535,
        (10, 1, 0, 1): 1186,
    }
    assert {place: int(folded[place]) for place in expected} == expected


@given(lengths)
def test_fold_resamples_time_as_torch_does(frames: int) -> None:
    mask = torch.rand(frames, 8, 16)
    cells = mask.view(frames, 1, 8, 2, 8).permute(2, 4, 0, 1, 3).reshape(1, 64, frames, 1, 2)
    size = ((frames - 1) // 4 + 1, 1, 2)
    expected = torch.nn.functional.interpolate(cells, size=size, mode="nearest-exact")[0]
    assert torch.equal(fold_mask(mask), expected)


def test_luma_keeps_gray_to_the_bit_and_ignores_alpha() -> None:
    gray = torch.rand(3, 4, 5, 1)
    assert torch.equal(luma(gray), gray[..., 0])
    assert torch.equal(luma(gray.expand(-1, -1, -1, 3)), gray[..., 0])
    rgba = torch.tensor([[[1.0, 0, 0, 0.5], [0, 1, 0, 0.5], [0, 0, 1, 0.5]]])
    assert luma(rgba).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])


@pytest.mark.parametrize("when", [None, (0, 0), (2, 3), (0, 4)])
@pytest.mark.parametrize("form", ["everywhere", "image", "one frame", "frames"])
def test_where_times_when(form: str, when: tuple[int, int] | None) -> None:
    image = torch.rand(6, 8)
    where = {"everywhere": None, "image": image, "one frame": image[None], "frames": torch.rand(5, 6, 8)}[
        form
    ]
    mask = build_mask(where, when, frames=5, height=6, width=8)
    first, last = when or (0, 4)
    for frame in range(5):
        spatial = torch.ones(6, 8) if where is None else where.expand(5, 6, 8)[frame]
        assert torch.equal(mask[frame], spatial * float(first <= frame <= last))


@pytest.mark.parametrize("when", [(-1, 2), (3, 2), (0, 5), (7, 9)])
def test_a_time_range_outside_the_clip_is_refused(when: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match="between 0 and 4"):
        build_mask(None, when, frames=5, height=6, width=8)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.ones(4, 16, 32), "4 frames but the clip has 5"),
        (torch.ones(5, 32, 16), "16x32 but the clip is 32x16"),
        (torch.ones(5, 16, 32, 3), "one channel"),
        (torch.full((5, 16, 32), 255.0), "divide 8-bit values by 255"),
        (torch.full((5, 16, 32), -0.1), "outside 0..1"),
        (torch.full((5, 16, 32), torch.nan), "NaN"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask: torch.Tensor, words: str) -> None:
    check_mask(torch.rand(5, 16, 32), 5, 16, 32)
    with pytest.raises(BadInput, match=words):
        check_mask(mask, 5, 16, 32)


def test_growing_adds_a_disc_and_shrinking_takes_it_away() -> None:
    point = torch.zeros(3, 11, 11)
    point[1, 5, 5] = 1
    rows, columns = torch.meshgrid(torch.arange(11) - 5, torch.arange(11) - 5, indexing="ij")
    disc = (rows**2 + columns**2 <= 9).float()
    grown = grow_mask(point, px=3)
    assert torch.equal(grown, torch.stack([torch.zeros(11, 11), disc, torch.zeros(11, 11)]))
    assert torch.equal(grow_mask(grown, px=-3), point)
    assert torch.equal(grow_mask(point, frames=1), point[1].expand(3, -1, -1))
    assert torch.equal(grow_mask(grow_mask(point, frames=1), frames=-1), point[1].expand(3, -1, -1))
    assert torch.equal(grow_mask(point), point)


@pytest.mark.parametrize(("px", "size"), [(1, (9, 9)), (5, (20, 31)), (12, (7, 40)), (40, (11, 5))])
def test_growing_and_feathering_are_opencv_s(px: int, size: tuple[int, int]) -> None:
    mask = torch.rand(2, *size, generator=torch.Generator().manual_seed(px))
    reach = np.arange(-px, px + 1)
    disc = (reach[:, None] ** 2 + reach**2 <= px**2).astype(np.uint8)
    for ours, theirs in ((grow_mask(mask, px=px), cv2.dilate), (grow_mask(mask, px=-px), cv2.erode)):
        expected = np.stack([theirs(frame.numpy(), disc) for frame in mask])
        assert np.array_equal(ours.numpy(), expected)
    soft = [
        cv2.GaussianBlur(frame.numpy(), (2 * px + 1,) * 2, px / 3, borderType=cv2.BORDER_REPLICATE)
        for frame in mask
    ]
    assert np.allclose(feather_mask(mask, px=px).numpy(), np.stack(soft), atol=1e-5)


def test_borders_neither_grow_nor_eat() -> None:
    assert torch.equal(grow_mask(torch.ones(3, 9, 9), px=-2, frames=-1), torch.ones(3, 9, 9))
    assert torch.equal(grow_mask(torch.zeros(3, 9, 9), px=2, frames=1), torch.zeros(3, 9, 9))
    assert (feather_mask(torch.ones(3, 9, 9), px=2, frames=1) > 0.999999).all()


@pytest.mark.parametrize("px", [1, 4, 16, 17, 30])  # wide ones by the Fourier transform
def test_feathering_reaches_no_further_than_asked_and_falls_steadily(px: int) -> None:
    half = torch.zeros(1, 32, 64)
    half[..., 32:] = 1
    profile = feather_mask(half, px=px)[0, 8]
    assert (profile[: 32 - px] == 0).all()
    assert (profile[32 + px :] > 0.999999).all()
    ramp = profile[32 - px : 32 + px]
    assert (ramp.diff() > 0).all()
    assert torch.allclose(ramp, 1 - ramp.flip(0), atol=1e-6)


def test_feathering_in_time_reaches_no_further_than_asked() -> None:
    late = torch.zeros(9, 4, 4)
    late[5:] = 1
    profile = feather_mask(late, frames=2)[:, 0, 0]
    assert (profile[:3] == 0).all()
    assert (profile[3:].diff() >= 0).all()
    assert 0 < profile[3] < profile[4] < 0.5 < profile[5] < profile[6] < 1


@pytest.mark.parametrize(
    ("frames", "when", "edited", "marked", "reached", "words"),
    [
        # The record of a real run: a mask from frame 1 marks latent frame 0, one from frame 5 is exact.
        (9, (1, 8), (1, 2), (0, 1, 2), (0, 8), "works on frames 0-8"),
        (9, (5, 8), (2,), (2,), (5, 8), "whole latent frames"),
        (9, (0, 8), (0, 1, 2), (0, 1, 2), (0, 8), "whole latent frames"),
        (9, (2, 6), (1, 2), (1,), (1, 8), "works on frames 1-8"),
        (9, (0, 0), (0,), (), (0, 0), "too short"),
        # Early in a long clip the published masks look one latent frame ahead: frame 5 stands for frames 1-4.
        (81, (5, 8), (2,), (1,), (1, 8), "works on frames 1-8"),
        (81, (45, 80), tuple(range(12, 21)), tuple(range(12, 21)), (45, 80), "whole latent frames"),
    ],
)
def test_time_reach(
    frames: int,
    when: tuple[int, int],
    edited: tuple[int, ...],
    marked: tuple[int, ...],
    reached: tuple[int, int],
    words: str,
) -> None:
    reach = time_reach(when, frames, lattice=WAN.lattice)
    assert (reach.edited_latents, reach.marked_latents, reach.reached) == (edited, marked, reached)
    assert words in reach.describe()


@given(lengths, st.data())
def test_time_reach_agrees_with_the_folded_mask(frames: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, frames - 1))
    last = data.draw(st.integers(first, frames - 1))
    reach = time_reach((first, last), frames, lattice=WAN.lattice)
    folded = fold_mask(build_mask(None, (first, last), frames=frames, height=8, width=8))
    assert reach.marked_latents == tuple(folded[0, :, 0, 0].nonzero().flatten().tolist())
    assert reach.reached[0] <= first <= last <= reach.reached[1] < frames
