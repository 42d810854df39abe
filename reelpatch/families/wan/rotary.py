"""Wan's rotary embedding: the angle of every pair of a head, from a token's place in time, row and column.

Source: Wan2.1 `rope_params`; angles in float64, as there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reelpatch.families.lattice import TokenGrid

ROTARY_THETA = 10000.0


def grid_positions(grid: TokenGrid, *, device: torch.device | str | None = None) -> Tensor:
    """Where every token of a grid lies, (frame, row, column) from 0: `[N, 3]` float64."""
    axes = [
        torch.arange(length, dtype=torch.float64, device=device)
        for length in (grid.frames, grid.rows, grid.columns)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 2)


def timed_positions(
    grid: TokenGrid, times: Sequence[int] | None, *, device: torch.device | str | None = None
) -> Tensor:
    """As `grid_positions`, its frames at these places in time; None is 0, 1, 2 and so on."""
    positions = grid_positions(grid, device=device)
    if times is not None:
        placed = torch.tensor(times, dtype=positions.dtype, device=positions.device)
        positions[:, 0] = placed[positions[:, 0].long()]
    return positions


def rotary_angles(positions_N3: Tensor, head_dim: int) -> Tensor:
    """The angles of tokens at those places, in radians, `[N, E / 2]` float64.

    The E / 2 interleaved pairs go to frames, rows and columns in this order: rows and columns get
    `head_dim // 6` pairs each, frames the rest (44/42/42 numbers of 128).
    """
    plane_dim = 2 * (head_dim // 6)
    dims = (head_dim - 2 * plane_dim, plane_dim, plane_dim)
    return torch.cat(
        [
            torch.outer(places, _frequencies(dim, places))
            for places, dim in zip(positions_N3.double().unbind(-1), dims, strict=True)
        ],
        dim=-1,
    )


def source_turn(source: float, head_dim: int, like: Tensor) -> Tensor:
    """What Bernini-R turns all pairs of a source's tokens by, on top of their places: `[1, E / 2]`; 0 for the target.

    Source: bytedance/Bernini; its frequencies run over the whole head.
    """
    return source * _frequencies(head_dim, like)[None]


def rotary_table(grid: TokenGrid, head_dim: int, *, device: torch.device | str | None = None) -> Tensor:
    """Cosine and sine of the angles of every token of a grid, `[N, 1, E / 2, 2]` float32."""
    angles = rotary_angles(grid_positions(grid, device=device), head_dim)
    return torch.stack((angles.cos(), angles.sin()), dim=-1).float().unsqueeze(1)


def _frequencies(dim: int, like: Tensor) -> Tensor:
    exponents = torch.arange(0, dim, 2, dtype=torch.float64, device=like.device) / dim
    return ROTARY_THETA**-exponents
