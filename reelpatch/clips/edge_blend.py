"""Edge-aware blend: where a mask is soft, its ramp follows the edges of the picture instead of crossing them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.clips.masks import luma

_SMALLEST_EDGE = 0.03  # of brightness; fainter edges do not hold the ramp


def follow_edges(soft: Tensor, mask: Tensor, source: Tensor, *, radius_px: int) -> Tensor:
    """The feathered mask drawn to the edges of the source: a guided filter of the mask, inside the ramp alone.

    Shapes: soft (feathered) and mask (as it was before) [F, H, W] in [0, 1]; source [F, H, W, 3].
    Guarantees: exactly `soft` where that is 0 or 1, so that nothing beyond the feather is touched.
    Source: He, Sun, Tang, "Guided image filtering", ECCV 2010, eq. 5-8, with the brightness as guide.
    """
    if radius_px == 0:
        return soft
    guided = torch.stack(
        [
            _guided(one, guide, radius_px)
            for one, guide in zip(mask.float(), luma(source.float()), strict=True)
        ]
    )
    # Nothing at both ends of the ramp and all in its middle, so that neither end shows.
    share = 4 * soft * (1 - soft)
    return torch.lerp(soft, guided.clamp(0, 1), share)


def _guided(mask: Tensor, guide: Tensor, radius: int) -> Tensor:
    planes = torch.stack([guide, mask, guide * mask, guide * guide]).double()
    mean_guide, mean_mask, mean_product, mean_square = _box(planes, radius)
    variance = mean_square - mean_guide.square()
    gain = (mean_product - mean_guide * mean_mask) / (variance + _SMALLEST_EDGE**2)
    offset = mean_mask - gain * mean_guide
    gain, offset = _box(torch.stack([gain, offset]), radius)
    return (gain * guide + offset).to(mask)


def _box(planes: Tensor, radius: int) -> Tensor:
    """The mean of every square of `2 radius + 1` pixels, as far as it lies in the picture."""
    return F.avg_pool2d(planes[:, None], 2 * radius + 1, 1, radius, count_include_pad=False)[:, 0]
