"""What small transformers compute of the text alone, on a CPU: once for a text, and not at every step.

The projection of the text, and its keys and values in every block, are the same at all steps. On a small grid, as the demo's, they are up to a
third of a forward (`python -m benchmarks.before_after`); on a large one they are next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from reelpatch.families.wan.block import CrossAttention

MOST_FEATURES = 512
"""Layers that give more compute at every step, as what they give would take too much memory for what it saves."""
KEPT = 4
"""Texts: an instruction, what guidance compares it with, and rows that stand for a text where only the time is embedded."""


def text_layers_of_backbone(transformer: nn.Module) -> Iterable[nn.Module]:
    """The layers of diffusers' Wan transformer that see nothing but the text."""
    model: Any = transformer
    projection = model.condition_embedder.text_embedder
    yield from (projection.linear_1, projection.linear_2)
    if projection.linear_1.out_features <= MOST_FEATURES:  # else it is never shown the same again
        yield projection.act_1
    for block in model.blocks:
        yield from (block.attn2.to_k, block.attn2.to_v)


def text_layers_of_module(module: nn.Module) -> Iterable[nn.Module]:
    """Those of an edit module that is made of Wan's blocks."""
    for part in module.modules():
        if isinstance(part, CrossAttention):
            yield from (part.k, part.v)


def compute_texts_once(layers: Iterable[nn.Module]) -> None:
    """Lets layers give again what they gave, where they are shown the very same again; results are the same bits.

    The very same is the same memory, not written to since, and the same weights. A LoRA beside a layer goes on as it did. Nothing is
    kept on a GPU, where gradients are enabled, or of tensors whose writes PyTorch does not count (`torch.inference_mode`).
    """
    for layer in layers:
        if getattr(layer, "out_features", 0) <= MOST_FEATURES:
            layer.forward = _Remembering(layer)


class _Remembering:
    """A layer's forward with what it gave last."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer, self._usual = layer, layer.forward
        # Identities of what was seen; it itself, so that nothing else takes its place in memory; and what was given.
        self._kept: tuple[tuple[list[Any], list[Tensor], Tensor], ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        tensors = [x, *self._layer.parameters(recurse=False), *self._layer.buffers(recurse=False)]
        if torch.is_grad_enabled() or not all(map(_is_counted, tensors)):
            return self._usual(x)
        seen = [_identity(one) for one in tensors]
        found = next((one for one in self._kept if one[0] == seen), None)
        if found is None:
            found = (seen, tensors, self._usual(x))
        others = [one for one in self._kept if one is not found]
        self._kept = (*others[1 - KEPT :], found)  # the one used last stands last
        return found[2]


def _is_counted(tensor: Tensor) -> bool:
    """Whether PyTorch counts the writes to a tensor that is in the CPU's memory."""
    return (
        type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" and not tensor.is_inference()
    )


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.data_ptr(), tensor._version, tensor.shape, tensor.stride(), tensor.dtype
