"""How near two clips are, pixel by pixel (PSNR, difference) and in their structure (SSIM)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.clips.masks import luma

LEVELS = 255  # differences are told in steps of 8 bits, which is what people know colours by
# Of Wang et al.: a Gaussian of 1.5 px cut at 11 px, and the constants that keep flat regions finite.
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def squared_error(result: Tensor, truth: Tensor, where: Tensor | None = None) -> tuple[float, int]:
    """The sum of squared differences over the pixels where the mask is set, and how many values those are.

    Shapes: result, truth [..., 3] in [0, 1]; where [...] bool or 0/1.
    """
    squares = (result.double() - truth.double()).square()
    if where is not None:
        squares = squares[where.bool()]
    return float(squares.sum()), squares.numel()


def decibels(mean_square: float) -> float:
    """The PSNR of values in [0, 1] with that mean squared error; infinite without one."""
    return math.inf if mean_square == 0 else -10 * math.log10(mean_square)


def psnr(result: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """How near two clips are, in decibels, over the pixels where the mask is 1; infinite when they are equal.

    Shapes: result, truth [F, H, W, 3] in [0, 1]; where [F, H, W] bool or 0/1, at least one pixel set.
    """
    total, count = squared_error(result, truth, where)
    return decibels(total / count)


def difference(result: Tensor, truth: Tensor, where: Tensor | None = None) -> float | None:
    """The mean absolute difference in levels of 255; None where the mask leaves no pixel.

    Shapes: as `psnr`, or without frames.
    """
    apart = (result.double() - truth.double()).abs()
    if where is not None:
        apart = apart[where.bool()]
    return LEVELS * float(apart.mean()) if apart.numel() else None


def ssim(result: Tensor, truth: Tensor, where: Tensor | None = None) -> float | None:
    """Structural similarity of one image to another, 1 when they are equal.

    Compared is brightness (Rec. 601), in all windows of 11x11 pixels that lie wholly where the mask is set;
    None where no window does.

    Shapes: result, truth [H, W, 3] in [0, 1]; where [H, W] bool or 0/1.
    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE TIP 13 (2004), eq. 13, with its window and constants.
    """
    if min(truth.shape[:2]) < _WINDOW_PX:
        return None
    x, y = (luma(image.double()) for image in (result, truth))
    mean_x, mean_y, square_x, square_y, product = _blurred(torch.stack([x, y, x * x, y * y, x * y]))
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    similarity /= (mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2)
    if where is not None:
        outside = (where == 0).double()[None, None]
        similarity = similarity[F.max_pool2d(outside, _WINDOW_PX, stride=1)[0, 0] == 0]
    return float(similarity.mean()) if similarity.numel() else None


def _blurred(planes: Tensor) -> Tensor:
    """[N, H, W] -> [N, H - 10, W - 10]: the weighted mean of every whole window."""
    distance = torch.arange(_WINDOW_PX, dtype=planes.dtype, device=planes.device) - _WINDOW_PX // 2
    weights = torch.exp(-(distance**2) / (2 * _SIGMA_PX**2))
    weights = weights / weights.sum()
    across = F.conv2d(planes[:, None], weights.view(1, 1, 1, -1))
    return F.conv2d(across, weights.view(1, 1, -1, 1))[:, 0]
