"""The Wan2.1 VAE over a whole clip in one pass, for training: several times faster than streaming chunks.

diffusers' `AutoencoderKLWan` streams frames 1, 4, 4, ... through a feature cache. The same function is obtained in
one pass with zero history in front of every causal convolution (first frame of `down3d` untouched, first latent
of `up3d` untouched and absent from the context of the others). Frames are kept as a batch of pictures, so that a
3x3x3 convolution is one channels-last 2-D convolution over three stacked frames, and a still picture only pays for
the last temporal tap. `tests/parity/test_whole_clip.py` holds the equality with diffusers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

# Shapes: x_BCTHW, channels last in memory, so that frames are a batch of channels-last pictures without a copy.


# Layers of diffusers' VAE are `Any` below: to a type checker, an attribute of a torch module is a module or a tensor.


def encode(vae: AutoencoderKLWan, video: Tensor) -> Tensor:
    """The latent mean of `video` `[B, 3, T, H, W]` in [-1, 1]: `[B, z, (T-1)/4+1, H/8, W/8]`, not normalised."""
    encoder: Any = vae.encoder
    x = _causal(encoder.conv_in, video.contiguous(memory_format=torch.channels_last_3d))
    for layer in encoder.down_blocks:
        x = _downsample(layer, x) if hasattr(layer, "resample") else _residual(layer, x)
    x = _middle(encoder.mid_block, x)
    x = _causal(encoder.conv_out, F.silu(_rms(encoder.norm_out, x)))
    return _causal(vae.quant_conv, x).chunk(2, dim=1)[0]


def decode(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """The video of `latents` `[B, z, T, h, w]` (not normalised): `[B, 3, 4T-3, 8h, 8w]`, not clamped."""
    decoder: Any = vae.decoder
    x = _causal(vae.post_quant_conv, latents.contiguous(memory_format=torch.channels_last_3d))
    x = _middle(decoder.mid_block, _causal(decoder.conv_in, x))
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            x = _residual(resnet, x)
        if block.upsamplers is not None:
            x = _upsample(block.upsamplers[0], x)
    return _causal(decoder.conv_out, F.silu(_rms(decoder.norm_out, x)))


def _rms(norm: Any, x: Tensor) -> Tensor:
    gamma = norm.gamma.reshape(1, -1, *[1] * (x.ndim - 2))
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-12) * gamma


def _pictures(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`layer` on every frame as a picture of its own."""
    b = x.shape[0]
    return layer(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (b, -1)).transpose(1, 2)


def _causal(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """A causal convolution with `kernel_size[0]` taps in time and zero history."""
    taps, space = conv.kernel_size[0], conv.kernel_size[1] // 2
    if taps == 1 or x.shape[2] == 1:
        return _pictures(lambda p: F.conv2d(p, conv.weight[:, :, -1], conv.bias, padding=space), x)
    return F.conv3d(F.pad(x, (0, 0, 0, 0, taps - 1, 0)), conv.weight, conv.bias, padding=(0, space, space))


def _residual(block: Any, x: Tensor) -> Tensor:
    shortcut = x if isinstance(block.conv_shortcut, nn.Identity) else _causal(block.conv_shortcut, x)
    x = _causal(block.conv1, F.silu(_rms(block.norm1, x)))
    return shortcut + _causal(block.conv2, F.silu(_rms(block.norm2, x)))


def _middle(block: Any, x: Tensor) -> Tensor:
    x, attention = _residual(block.resnets[0], x), block.attentions[0]

    def attend(p: Tensor) -> Tensor:
        q, k, v = (
            attention.to_qkv(_rms(attention.norm, p)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).unflatten(2, p.shape[2:])
        return p + attention.proj(mixed)

    return _residual(block.resnets[1], _pictures(attend, x))


def _downsample(layer: Any, x: Tensor) -> Tensor:
    x = _pictures(layer.resample, x)
    if layer.mode == "downsample2d" or x.shape[2] == 1:
        return x
    later = F.conv3d(x, layer.time_conv.weight, layer.time_conv.bias, stride=(2, 1, 1))
    return torch.cat([x[:, :, :1], later], dim=2)


def _upsample(layer: Any, x: Tensor) -> Tensor:
    if layer.mode == "upsample3d" and x.shape[2] > 1:
        conv = layer.time_conv
        later = F.conv3d(F.pad(x[:, :, 1:], (0, 0, 0, 0, 2, 0)), conv.weight, conv.bias)
        even, odd = later.chunk(2, dim=1)
        x = torch.cat([x[:, :, :1], torch.stack([even, odd], dim=3).flatten(2, 3)], dim=2)
    return _pictures(lambda p: layer.resample[1](F.interpolate(p, scale_factor=2, mode="nearest-exact")), x)
