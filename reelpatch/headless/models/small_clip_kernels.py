"""Small clips through a 3-D convolutional network on a CPU, by the kernels that large ones get.

For one clip of few values, PyTorch 2.13 computes `conv3d` without oneDNN (`ConvParams::use_mkldnn`), several times
slower. The same sums as one `conv2d` over the frames, their temporal taps stacked as channels, take the fast way.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Convolution = Callable[[Tensor, Tensor, Tensor | None], Tensor]
_MAX_VALUES = 20480  # batch * channels * frames * rows up to which PyTorch leaves oneDNN aside


def speed_up_small_clips(model: nn.Module) -> None:
    """Lets the `nn.Conv3d` layers of a model on the CPU take the fast way where PyTorch does not by itself.

    Holds for layers without dilation, groups or padding of their own, as diffusers' causal convolutions are.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv3d) and _is_plain(layer):
            hooked: Any = layer
            hooked._conv_forward = partial(_conv_forward, layer.stride, hooked._conv_forward)


def frames_as_pictures(
    x_BCTHW: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...]
) -> Tensor:
    """`conv3d` without padding, as `conv2d`: equal up to the order of the sums."""
    taps = weight.shape[2]
    windows = x_BCTHW.unfold(2, taps, stride[0])  # [B, C, T', H, W, taps]
    batch, _, frames = windows.shape[:3]
    pictures = windows.permute(0, 2, 5, 1, 3, 4).flatten(2, 3).flatten(0, 1)
    kernel = weight.transpose(1, 2).flatten(1, 2)
    out = F.conv2d(pictures, kernel, bias, stride=stride[1:])
    return out.unflatten(0, (batch, frames)).transpose(1, 2)


def _is_plain(layer: nn.Conv3d) -> bool:
    return layer.groups == 1 and set(layer.dilation) == {1} and set(layer.padding) == {0}


def _conv_forward(
    stride: tuple[int, ...], usual: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    is_small = x.shape[:4].numel() <= _MAX_VALUES
    if is_small and x.device.type == "cpu" and x.dtype == torch.float32:
        return frames_as_pictures(x, weight, bias, stride)
    return usual(x, weight, bias)
