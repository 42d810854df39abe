"""Measures of an edited clip."""

import math

from torch import Tensor


def psnr(result: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """How near two clips are, in decibels, over the pixels where the mask is 1; infinite when they are equal.

    Shapes: result, truth [F, H, W, 3] in [0, 1]; where [F, H, W] bool or 0/1, at least one pixel set.
    """
    squares = (result.double() - truth.double()).square().mean(dim=-1)
    if where is not None:
        squares = squares[where.bool()]
    error = float(squares.mean())
    return math.inf if error == 0 else -10 * math.log10(error)
