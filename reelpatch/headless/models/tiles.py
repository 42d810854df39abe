"""A VAE over tiles of pictures that have no room whole: tiles of one size, blended where they overlap so that no seam is seen.

What a tile makes at its edge is made without its surroundings. The outermost cell of an overlap is therefore not used, and the
rest goes over from one tile to the next by a curve that begins and ends flat.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from reelpatch.families.counts import Tiles

_UNUSED_CELLS = 1


def over_tiles(
    work: Callable[[Tensor], Tensor], x: Tensor, tiles: tuple[Tiles, Tiles], *, given_px: int, made_px: int
) -> Tensor:
    """What `work` makes of `x` tile by tile: of one number for each `given_px` pixels of a side one for each `made_px`.

    Shapes: x [C, T, h, w] -> [C', T', h', w'], the lengths in time as `work` makes them. `tiles` lie along (height, width).
    """
    cell = max(given_px, made_px)
    down, across = (_weights(one, cell, made_px) for one in tiles)
    made: Tensor | None = None
    for top, rows in zip(tiles[0].starts, down, strict=True):
        for left, columns in zip(tiles[1].starts, across, strict=True):
            one = work(x[(..., *_part(tiles, top, left, given_px))])
            if made is None:
                sides = (tile.side_px // made_px for tile in tiles)
                made = one.new_zeros(*one.shape[:2], *sides)
            one *= rows.to(one)[:, None] * columns.to(one)
            made[(..., *_part(tiles, top, left, made_px))] += one
    assert made is not None
    return made


def _part(tiles: tuple[Tiles, Tiles], top: int, left: int, px: int) -> tuple[slice, slice]:
    """Where a tile lies among numbers that stand for so many pixels of a side."""
    rows, columns = (one.length_px // px for one in tiles)
    return slice(top // px, top // px + rows), slice(left // px, left // px + columns)


def _weights(tiles: Tiles, cell_px: int, px: int) -> list[Tensor]:
    """How much each tile counts along its length; neighbours together count as one."""
    weights = [torch.ones(tiles.length_px // px) for _ in tiles.starts]
    for number, (before, after) in enumerate(pairwise(tiles.starts)):
        shared = (before + tiles.length_px - after) // px
        rising = _rising(shared, min(_UNUSED_CELLS * cell_px // px, (shared - 1) // 2))
        weights[number][-shared:] *= rising.flip(0)
        weights[number + 1][:shared] *= rising
    return weights


def _rising(count: int, unused: int) -> Tensor:
    """From 0 to 1 over so many numbers, of which so many at either end are one or the other."""
    along = ((torch.arange(count) + 0.5 - unused) / (count - 2 * unused)).clamp(0, 1)
    return along * along * (3 - 2 * along)
