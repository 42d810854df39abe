"""Finishing: the kept pixels of the source go back where the mask says keep."""

import torch
from torch import Tensor

from reelpatch.clips.masks import feather_mask, grow_mask


def paste_back(
    edited: Tensor, source: Tensor, mask: Tensor, *, grow_px: int = 0, feather_px: int = 0
) -> Tensor:
    """The edit inside the mask and the untouched source outside it, blended where the mask is soft.

    The mask is grown first, then feathered; see `grow_mask` and `feather_mask` for their reach.

    Shapes: edited, source [F, H, W, 3] in [0, 1]; mask [F, H, W].
    Guarantees: where the grown and feathered mask is 0 the result equals the source bit for bit.
    """
    alpha = feather_mask(grow_mask(mask, px=grow_px), px=feather_px)[..., None].to(source)
    # `where`, because a non-finite edit would leak through the blend as 0 * NaN.
    return torch.where(alpha > 0, torch.lerp(source, edited.to(source), alpha), source)
