"""Tiles cover a picture, add up to what a whole would be, and leave no seam."""

import pytest
import torch

from benchmarks import seams
from reelpatch.families.counts import TILE_PX, Tiles, tiles_of
from reelpatch.headless.models.tiles import over_tiles
from reelpatch.headless.models.wan_vae import load_vae


@pytest.mark.parametrize("side", [*range(16, 2400, 16), 264, 1000])
def test_tiles_cover_a_side_and_overlap(side: int) -> None:
    tiles = Tiles.along(side)
    assert tiles.starts[0] == 0
    assert tiles.starts[-1] + tiles.length_px == side
    assert tiles.length_px <= TILE_PX
    for before, after in zip(tiles.starts, tiles.starts[1:], strict=False):
        assert after % 16 == 0 or after == tiles.starts[-1]
        # At least 64 pixels, but for rounding; and no pixel lies in three tiles.
        assert 48 <= before + tiles.length_px - after <= tiles.length_px / 2


@pytest.mark.parametrize(("given_px", "made_px"), [(1, 1), (8, 1), (1, 8), (16, 1), (1, 16)])
def test_tiles_of_what_is_the_same_everywhere_add_up_to_it(given_px: int, made_px: int) -> None:
    x = torch.full((2, 1, 480 // given_px, 832 // given_px), 0.75)
    factor = given_px / made_px

    def work(tile: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(tile, scale_factor=factor)

    made = over_tiles(work, x, tiles_of((480, 832)), given_px=given_px, made_px=made_px)
    assert made.shape == (2, 1, 480 // made_px, 832 // made_px)
    # Two weights in fp32 add up to 1 but for their rounding.
    assert float((made - 0.75).abs().max()) <= 4 * torch.finfo(torch.float32).eps


def test_a_picture_no_larger_than_a_tile_is_worked_on_whole() -> None:
    vae = load_vae(seams.PATH)
    clip = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole = vae.encode(clip)
    vae.work_in_tiles(True)
    assert torch.equal(vae.encode(clip), whole)


def test_seams_change_no_more_than_a_whole_picture_does() -> None:
    found = seams.measure(clips=2, side_px=320, frames=1)
    assert found["against_whole"] <= seams.BAR
    # A tile sees less around it than a whole picture, so that they are never the same; above 45 dB no eye tells them apart.
    assert 45 < found["psnr_db"] < 100
