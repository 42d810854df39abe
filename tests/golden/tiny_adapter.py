"""Wan2.2 TI2V-5B and an edit adapter for it at a tiny size, in the true file formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.edits.adapter.layout import POSITIONS_KEY
from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.families.wan.names import diffusers_to_native, vae22_diffusers_to_native
from reelpatch.headless.models.wan_vae import WIDE_MEAN, WIDE_STD
from tests.golden.deterministic import make_weights, vae_rule

WIDTH, CHANNELS, RANK, LAYERS = 128, 48, 2, 3
SIZES: dict[str, Any] = {
    **{
        "num_attention_heads": 1,
        "attention_head_dim": WIDTH,
        "in_channels": CHANNELS,
        "out_channels": CHANNELS,
    },
    **{"text_dim": 4096, "freq_dim": 256, "ffn_dim": 96, "num_layers": LAYERS},
}
VAE: dict[str, Any] = {
    **{"base_dim": 8, "decoder_base_dim": 8, "z_dim": CHANNELS, "is_residual": True, "in_channels": 12},
    **{"out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16},
    **{"latents_mean": list(WIDE_MEAN), "latents_std": list(WIDE_STD)},
}


def backbone(**changes: Any) -> WanTransformer3DModel:
    """With nothing at zero, and weights large enough for everything that a forward is told to be seen in what it returns."""
    model = WanTransformer3DModel(**SIZES | changes).eval().requires_grad_(False)
    for number, (key, tensor) in enumerate(sorted(model.state_dict().items())):
        is_norm = "norm" in key and key.endswith("weight")
        spread = 1.0 if tensor.ndim < 2 or "scale_shift" in key else tensor[0].numel() ** -0.5
        noise = draw(5000 + number, *tensor.shape, scale=spread)
        tensor.copy_(1 + 0.1 * noise if is_norm else 0.5 * noise)
    return model


def draw(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def weights(
    width: int = WIDTH, channels: int = CHANNELS, *, layers: int = LAYERS, rank: int = RANK
) -> dict[str, Tensor]:
    """An adapter with nothing at zero: its embeddings, and a LoRA on the attention of every block."""
    state: dict[str, Tensor] = {}
    for number, part in enumerate(("source", "mask", "reference")):
        state[f"{part}_embedding.weight"] = draw(number, width, channels, 1, 2, 2, scale=channels**-0.5)
        state[f"{part}_embedding.bias"] = draw(10 + number, width, scale=0.1)
    for block in range(layers):
        for at, attention in enumerate(("self_attn", "cross_attn")):
            for number, layer in enumerate("qkvo"):
                key, seed = f"blocks.{block}.{attention}.{layer}", 100 * block + 10 * at + number
                state[f"{key}.lora_A.weight"] = draw(seed, rank, width, scale=0.1)
                state[f"{key}.lora_B.weight"] = draw(1000 + seed, width, rank, scale=0.3)
    return state


def differences() -> dict[str, Tensor]:
    """An adapter as `weights`, with full differences of weights, biases and modulations in place of the LoRA."""
    state = {key: tensor for key, tensor in weights().items() if "embedding" in key}
    shapes = {
        "self_attn.q.diff": (WIDTH, WIDTH),
        "self_attn.norm_q.diff": (WIDTH,),
        "cross_attn.v.diff": (WIDTH, WIDTH),
        "ffn.0.diff": (SIZES["ffn_dim"], WIDTH),
        "ffn.0.diff_b": (SIZES["ffn_dim"],),
        "norm3.diff_b": (WIDTH,),
        "diff_m": (1, 6, WIDTH),
    }
    for block in range(LAYERS):
        for number, (name, shape) in enumerate(shapes.items()):
            state[f"diffusion_model.blocks.{block}.{name}"] = draw(
                2000 + 100 * block + number, *shape, scale=0.1
            )
    return state


def module(positions: str = "sequence", **sizes: int) -> AdapterModule:
    return AdapterModule.from_state_dict(weights(**sizes), metadata={POSITIONS_KEY: positions})


def save(place: Path, positions: str = "sequence", state: Mapping[str, Tensor] | None = None) -> Path:
    """An adapter's file, at `place`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(weights() if state is None else state), place, {POSITIONS_KEY: positions})
    return place


def save_backbone(place: Path, **changes: Any) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    state = backbone(**changes).state_dict()
    save_file({diffusers_to_native(key): tensor.contiguous() for key, tensor in state.items()}, place)
    return place


def save_vae(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        model = AutoencoderKLWan(**VAE)
    shapes = {vae22_diffusers_to_native(key): tuple(one.shape) for key, one in model.state_dict().items()}
    save_file(make_weights(shapes, vae_rule), place)
    return place
