"""Motion between frames, by OpenCV where it is installed; ComfyUI comes without it."""

import importlib.util
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SMALLEST_PX = 16  # DIS fails on pictures that do not hold a patch at its coarsest scale


def has_opencv() -> bool:
    """Whether motion can be found here."""
    return importlib.util.find_spec("cv2") is not None


def flow_both_ways(frame: NDArray[np.uint8], following: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """The motion from a frame to the next, and from the next back to it.

    Shapes: frames [H, W, 3]; flows [H, W, 2] as (right, down) in pixels.
    Source: Kroeger, Timofte, Dai, Van Gool, "Fast optical flow using dense inverse search", ECCV 2016.
    """
    import cv2

    one, other = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (frame, following))
    return _flow(one, other), _flow(other, one)


def _flow(one: Any, other: Any) -> Tensor:
    import cv2

    height, width = one.shape
    below, right = max(0, _SMALLEST_PX - height), max(0, _SMALLEST_PX - width)
    if below or right:
        one, other = (
            cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE) for image in (one, other)
        )
    # A new one each time: a small picture changes the scales of a finder for all that come after it.
    finder: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return torch.from_numpy(finder.calc(one, other, None)[:height, :width].copy())
