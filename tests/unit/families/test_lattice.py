"""Lengths, sizes and grids: the published numbers, and what must hold for any of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpatch.errors import BadInput
from reelpatch.families.lattice import LatentShape, Lattice, TokenGrid
from reelpatch.families.wan.family import WAN, WAN_5B_FAMILY

LEGAL_LENGTHS = st.integers(0, 300).map(lambda n: 4 * n + 1)

# Frames -> picked frames, computed with the official code.
PICKS = {
    81: "1 5 9 13 17 21 25 28 32 36 40 44 48 52 55 59 63 67 71 75 79",
    73: "1 5 9 13 17 21 24 28 32 36 40 44 48 51 55 59 63 67 71",
    49: "1 5 9 13 16 20 24 28 32 35 39 43 47",
    5: "1 3",
    1: "0",
}


@pytest.mark.parametrize(("frames", "latents"), [(1, 1), (5, 2), (9, 3), (73, 19), (81, 21), (121, 31)])
def test_latent_frames(frames: int, latents: int) -> None:
    assert WAN.lattice.latent_frames(frames) == latents


@pytest.mark.parametrize(
    ("frames", "offer"), [(0, "at least 1"), (2, "use 1 or 5"), (74, "use 73 or 77"), (80, "use 77 or 81")]
)
def test_illegal_length_offers_the_legal_ones(frames: int, offer: str) -> None:
    with pytest.raises(BadInput, match=offer):
        WAN.lattice.latent_frames(frames)


@settings(deadline=None)  # machines under load stall
@given(st.integers(-5, 2000))
def test_nearest_frames_is_legal_and_nearest(frames: int) -> None:
    nearest = WAN.lattice.nearest_frames(frames)
    WAN.lattice.latent_frames(nearest)
    assert abs(nearest - frames) <= 2 or nearest == 1
    assert WAN.lattice.nearest_frames(nearest) == nearest


def test_halfway_takes_the_longer_and_the_larger() -> None:
    assert WAN.lattice.nearest_frames(75) == 77
    assert WAN.lattice.nearest_size(472, 840) == (480, 848)


@settings(deadline=None)  # machines under load stall
@given(st.integers(1, 4000), st.integers(1, 4000))
def test_nearest_size_is_legal_and_nearest(height: int, width: int) -> None:
    sides = WAN.lattice.nearest_size(height, width)
    for side, given_side in zip(sides, (height, width), strict=True):
        assert side % 16 == 0
        assert abs(side - given_side) <= 8 or side == 16
    assert WAN.lattice.nearest_size(*sides) == sides


@pytest.mark.parametrize(
    ("frames", "size", "references", "tokens"),
    [
        (73, (480, 832), 0, 29640),
        (73, (464, 832), 0, 28652),
        (73, (720, 1280), 0, 68400),
        (81, (480, 832), 1, 34320),
    ],
)
def test_published_token_counts(frames: int, size: tuple[int, int], references: int, tokens: int) -> None:
    assert (
        WAN.lattice.grid(*WAN.lattice.latent_shape(frames, size, references=references)[1:]).tokens == tokens
    )


def test_odd_latents_round_up_to_whole_patches() -> None:
    assert WAN.lattice.grid(2, 3, 5) == TokenGrid(2, 2, 3)


def test_illegal_size_offers_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"832x470.*use 832x464"):
        WAN.lattice.latent_shape(73, (470, 832))
    with pytest.raises(BadInput, match="use 73 or 77"):
        WAN.lattice.latent_shape(74, (480, 832))


@pytest.mark.parametrize("frames", PICKS)
def test_published_mask_frame_picks(frames: int) -> None:
    assert " ".join(map(str, WAN.lattice.mask_frame_picks(frames))) == PICKS[frames]


@settings(deadline=None)  # machines under load stall
@given(LEGAL_LENGTHS)
def test_mask_frame_picks_are_those_of_torch(frames: int) -> None:
    numbered = torch.arange(frames, dtype=torch.float32).view(1, 1, frames)
    resized = torch.nn.functional.interpolate(
        numbered, size=WAN.lattice.latent_frames(frames), mode="nearest-exact"
    )
    assert list(WAN.lattice.mask_frame_picks(frames)) == resized.flatten().int().tolist()


@pytest.mark.parametrize(
    ("lattice", "frames", "size", "shape", "tokens"),
    [
        (WAN_5B_FAMILY.lattice, 121, (704, 1280), (48, 31, 44, 80), 31 * 22 * 40),
        (Lattice(channels=8, frames_per_latent=2, cell_px=4, patch_cells=1), 7, (8, 12), (8, 4, 2, 3), 24),
    ],
)
def test_other_families_count_by_their_own_lattice(
    lattice: Lattice, frames: int, size: tuple[int, int], shape: LatentShape, tokens: int
) -> None:
    assert lattice.latent_shape(frames, size) == shape
    assert lattice.grid(*shape[1:]).tokens == tokens
    assert lattice.nearest_frames(frames + 1) >= frames
    with pytest.raises(BadInput, match=rf"\({lattice.frames_per_latent}n \+ 1\) frames: use {frames} or"):
        lattice.latent_frames(frames + 1)
    with pytest.raises(BadInput, match=f"multiples of {lattice.size_multiple} pixels"):
        lattice.latent_shape(frames, (size[0] + 1, size[1]))
