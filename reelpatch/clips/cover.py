"""Scaling images to cover a size, as VACE's own pipeline does.

Source of `cover`: ali-vilab/VACE, `VaceVideoProcessor` (commit 48eb44f).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.clips.frames import Size

_WHOLE = 255


def cover(images: Tensor, size: Size) -> Tensor:
    """Images scaled, aspect kept, to cover the size, and cropped to it at their centre.

    Bicubic with antialiasing on 8-bit values, as published; images that have the size already are not touched.

    Shapes: [F, h, w, C] in [0, 1] -> [F, *size, C].
    """
    height, width = images.shape[1:3]
    if (height, width) == size:
        return images
    scale = max(size[1] / width, size[0] / height)
    scaled = (round(scale * height), round(scale * width))
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    covered = images.new_empty(len(images), *size, images.shape[3], dtype=torch.float32)
    for source, target in zip(
        images, covered, strict=True
    ):  # one by one: a clip of floats fills memory as it is
        pixels = source.permute(2, 0, 1).mul(_WHOLE).round().to(torch.uint8)
        pixels = F.interpolate(pixels[None], size=scaled, mode="bicubic", antialias=True)[0]
        pixels = pixels[:, top : top + size[0], left : left + size[1]]
        target.copy_(pixels.permute(1, 2, 0).float() / _WHOLE)
    return covered
