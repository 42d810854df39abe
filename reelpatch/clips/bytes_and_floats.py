"""Clips as bytes, as they are stored, and as floats, as they are computed with."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_floats(frames: NDArray[np.uint8]) -> Tensor:
    """Bytes as floats in [0, 1], of any shape."""
    return torch.from_numpy(np.ascontiguousarray(frames)).float() / 255


def to_bytes(clip: Tensor) -> NDArray[np.uint8]:
    """Floats in [0, 1] as bytes; what `to_floats` made comes back as it was."""
    return (clip * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
