"""Tiny Wan transformers of diffusers, filled with the golden weights."""

from typing import Any, TypeVar

import torch
from diffusers import WanTransformer3DModel, WanVACETransformer3DModel
from torch import Tensor, nn

from reelpatch.edits.vace.module import VaceModule
from reelpatch.families.wan.names import diffusers_to_native
from tests.golden.deterministic import make_weights, wan_rule

NUM_HEADS = 2
DIM = 64 * NUM_HEADS
SIZES: dict[str, Any] = {
    "num_attention_heads": NUM_HEADS,
    "attention_head_dim": 64,
    "in_channels": 4,
    "out_channels": 4,
    "text_dim": 24,
    "freq_dim": 32,
    "ffn_dim": 160,
    "num_layers": 3,
}

Model = TypeVar("Model", bound=nn.Module)


def t2v(**changes: Any) -> WanTransformer3DModel:
    """The backbone alone; changes are diffusers' own options."""
    return fill(WanTransformer3DModel(**SIZES | changes))


def vace(
    layers: tuple[int, ...], context_channels: int, **changes: Any
) -> tuple[WanTransformer3DModel, WanVACETransformer3DModel, VaceModule]:
    """The same weights three times: backbone, diffusers' backbone with edit module in one, and our edit module."""
    options: dict[str, Any] = {"vace_layers": list(layers), "vace_in_channels": context_channels}
    merged = fill(WanVACETransformer3DModel(**SIZES | changes | options))
    backbone = WanTransformer3DModel(**SIZES | changes).eval()
    state = merged.state_dict()
    backbone.load_state_dict({key: state[key] for key in backbone.state_dict()})
    return (
        backbone,
        merged,
        VaceModule.from_state_dict(
            module_weights(merged), layers=layers, num_heads=changes.get("num_attention_heads", NUM_HEADS)
        ),
    )


def backbone_and_module() -> tuple[WanTransformer3DModel, VaceModule]:
    """A backbone, and an edit module that follows its blocks 0 and 2 and reads contexts of 12 channels."""
    backbone, _, module = vace((0, 2), 12)
    return backbone, module


def module_weights(merged: WanVACETransformer3DModel) -> dict[str, Tensor]:
    """The edit module's share of the weights, under native names."""
    named = ((diffusers_to_native(key), tensor) for key, tensor in merged.state_dict().items())
    return {name: tensor for name, tensor in named if name.startswith("vace_")}


def fill(model: Model) -> Model:
    """The model with the golden weights for its native names."""
    state = model.state_dict()
    key_of = {diffusers_to_native(key): key for key in state}
    shapes = {name: tuple(state[key].shape) for name, key in key_of.items()}
    weights = make_weights(shapes, wan_rule)
    model.load_state_dict({key_of[name]: tensor for name, tensor in weights.items()})
    return model.eval()


def largest_difference(one: Tensor, other: Tensor) -> float:
    """Of any two numbers in the same place; the shapes must be the same."""
    assert one.shape == other.shape
    return float(torch.max(torch.abs(one.float() - other.float())))
