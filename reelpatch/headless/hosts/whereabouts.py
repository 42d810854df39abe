"""Where a transformer computes, and in which dtype, asked of one layer."""

from __future__ import annotations

from typing import Any

import torch


def whereabouts(patches: Any) -> tuple[torch.device, torch.dtype]:
    """Device and dtype of the transformer whose first layer this is, the one of patches: never streamed, nor held as fp8.

    diffusers' properties `device` and `dtype` walk over all modules each time, of which a LoRA has hundreds. The bias is
    asked, as a LoRA's difference is added to what is read, and to the weight at more cost.
    """
    bias: torch.Tensor = patches.bias
    return bias.device, bias.dtype
