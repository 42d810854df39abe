"""Small clips through a 3-D convolutional network on a CPU, by the kernels that large ones get.

For one clip of few values, PyTorch 2.13 computes `conv3d` without oneDNN (`ConvParams::use_mkldnn`), several times
slower. The same sums as one `conv2d` over the frames, their temporal taps stacked as channels, take the fast way, and channels
last in memory are faster still (`python -m benchmarks.small_clips`). A norm over channels is a sum of squares there, as
`F.normalize` goes over the values of each place one by one.
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
    """Lets the `nn.Conv3d` layers and the channel norms of a model on the CPU take the fast way where PyTorch does not by itself.

    Holds for layers without dilation, groups or padding of their own, as diffusers' causal convolutions are, and for its
    `WanRMS_norm` and `HunyuanVideo15RMS_norm`, each known by what it holds.
    """
    for layer in model.modules():
        hooked: Any = layer
        if isinstance(layer, nn.Conv3d) and _is_plain(layer):
            hooked._conv_forward = partial(_conv_forward, layer.stride, hooked._conv_forward)
        elif _is_channel_norm(hooked):
            hooked.forward = partial(_norm_forward, hooked, hooked.forward)


def frames_as_pictures(
    x_BCTHW: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...]
) -> Tensor:
    """`conv3d` without padding, as `conv2d`: equal up to the order of the sums."""
    taps = weight.shape[2]
    windows = x_BCTHW.unfold(2, taps, stride[0])  # [B, C, T', H, W, taps]
    batch, _, frames = windows.shape[:3]
    pictures = windows.permute(0, 2, 3, 4, 5, 1).flatten(4).flatten(0, 1).permute(0, 3, 1, 2)
    kernel = weight.transpose(1, 2).flatten(1, 2).contiguous(memory_format=torch.channels_last)
    out = F.conv2d(pictures, kernel, bias, stride=stride[1:])
    return out.unflatten(0, (batch, frames)).transpose(1, 2)


def normalised(
    x_BCTHW: Tensor, scale: float, gamma: Tensor, bias: Tensor | float, eps: float = 1e-12
) -> Tensor:
    """`F.normalize` over channels, times `scale` and `gamma`, plus `bias`: equal up to the order of the sums."""
    squares = x_BCTHW.square().sum(dim=1, keepdim=True)
    return x_BCTHW * squares.clamp_min(eps**2).rsqrt() * scale * gamma + bias


def _is_plain(layer: nn.Conv3d) -> bool:
    return layer.groups == 1 and set(layer.dilation) == {1} and set(layer.padding) == {0}


def _is_channel_norm(layer: Any) -> bool:
    named = ("channel_first", "scale", "gamma", "bias")
    return all(hasattr(layer, name) for name in named) and layer.channel_first


def _is_small(x: Tensor) -> bool:
    return (
        x.ndim == 5
        and x.shape[:4].numel() <= _MAX_VALUES
        and x.device.type == "cpu"
        and x.dtype == torch.float32
    )


def _conv_forward(
    stride: tuple[int, ...], usual: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    return frames_as_pictures(x, weight, bias, stride) if _is_small(x) else usual(x, weight, bias)


def _norm_forward(layer: Any, usual: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return normalised(x, layer.scale, layer.gamma, layer.bias) if _is_small(x) else usual(x)
