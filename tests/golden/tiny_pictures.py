"""Tiny models that edit pictures, in diffusers' and transformers' classes: weights of ChronoEdit's form."""

from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import CLIPVisionConfig, CLIPVisionModel

from tests.golden import tiny_wan

CLIP_WIDTH, CLIP_SIDE = 80, 28
OPTIONS: dict[str, Any] = {
    "in_channels": 36,
    "out_channels": 16,
    "image_dim": CLIP_WIDTH,
    "added_kv_proj_dim": tiny_wan.DIM,
    "num_layers": 2,
}


def backbone(**changes: Any) -> WanTransformer3DModel:
    """An image-to-video backbone with its branch for pictures, 2 blocks."""
    return tiny_wan.t2v(**OPTIONS | changes)


def vae() -> AutoencoderKLWan:
    """A VAE of random weights, far smaller than the real one."""
    torch.manual_seed(0)
    return AutoencoderKLWan(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1, z_dim=16).eval()


def picture_encoder() -> CLIPVisionModel:
    """A CLIP picture encoder of 2 layers for squares of 28 pixels."""
    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=CLIP_WIDTH,
        intermediate_size=2 * CLIP_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=1,
        image_size=CLIP_SIDE,
        patch_size=14,
        hidden_act="gelu",
    )
    return CLIPVisionModel(config).eval()
