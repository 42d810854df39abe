"""LoRAs for HunyuanVideo-1.5's transformer: their layers by diffusers' names, in whichever naming the file has them.

Files made with the original code or for ComfyUI have queries, keys and values in one layer, whose rows are taken apart here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelpatch.families.hunyuan15.names import FUSED, SWAPPED, TRANSFORMER_ROWS
from reelpatch.families.tensor_info import TensorInfo
from reelpatch.weights.lora_keys import Part, bare_layer, read_key

if TYPE_CHECKING:
    from torch import Tensor

_NUMBER = re.compile(r"(?<=_)\d{1,3}(?=_)")
_BY_ROW: tuple[Part, ...] = ("up", "up_bias", "weight", "bias")
"""What has a row for each output of the layer."""
_WHOLE: tuple[Part, ...] = ("down", "alpha")
_OTHER_WIDTHS = frozenset({1536, 2432, 3072})
"""Of Stable Diffusion 3 and 3.5, and of FLUX, HunyuanVideo and Qwen-Image, whose layers have the same names."""
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class OwnLayer:
    """A layer by diffusers' name; one that stands for several has their names as `parts`. `is_own` is diffusers' spelling."""

    name: str
    parts: tuple[str, ...]
    is_own: bool


def own_layer(layer: str) -> OwnLayer | None:
    """The layer that a LoRA's file names; None for one that the transformer does not have."""
    bare = bare_layer(layer)
    if bare in _TABLE:
        return _TABLE[bare]
    number = _NUMBER.search(bare)
    found = _TABLE.get(f"{bare[: number.start()]}#{bare[number.end() :]}") if number else None
    if found is None or number is None:
        return None
    parts = tuple(part.replace("#", number[0]) for part in found.parts)
    return OwnLayer(found.name.replace("#", number[0]), parts, found.is_own)


def in_own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under diffusers' names; those of other layers, and of a fused layer what has no rows to take apart, stay."""
    made: dict[str, Tensor] = {}
    for key, tensor in state.items():
        read = read_key(key)
        layer = own_layer(read.layer) if read is not None else None
        if read is None or layer is None:
            made[key] = tensor
            continue
        suffix = key[len(read.layer) :]
        if not layer.parts:
            is_turned = layer.name == SWAPPED and not layer.is_own and read.part in _BY_ROW
            made[layer.name + suffix] = tensor.roll(len(tensor) // 2, 0) if is_turned else tensor
        elif read.part in _BY_ROW and len(tensor) % len(layer.parts) == 0:
            rows = tensor.chunk(len(layer.parts))
            made |= {part + suffix: own.contiguous() for part, own in zip(layer.parts, rows, strict=True)}
        elif read.part in _WHOLE:
            made |= {part + suffix: tensor for part in layer.parts}
        else:
            made[key] = tensor
    return made


def is_for_hunyuan(layers: Mapping[str, Mapping[str, TensorInfo]]) -> bool:
    """Whether a LoRA with these pairs (`down`, `up`) by layer is for HunyuanVideo-1.5, and not for a model with layers of the same names."""
    known = {layer: own for layer in layers if (own := own_layer(layer)) is not None}
    if len(known) < _LEAST_SHARE * len(layers) or not any(
        "transformer_blocks" in own.name for own in known.values()
    ):
        return False
    for layer, own in known.items():
        down, up = (layers[layer].get(half) for half in ("down", "up"))
        if down is None or up is None or len(down.shape) != len(up.shape) or len(down.shape) < 2:
            continue
        rows, columns = up.shape[0], down.shape[1]
        if {columns, columns / 4} & _OTHER_WIDTHS or (own.parts and rows != len(own.parts) * columns):
            return False
    return True


def _table() -> dict[str, OwnLayer]:
    """Layers by their names in every naming, with underscores for dots and `#` for the block's number."""
    found: dict[str, OwnLayer] = {}
    for own, *others in TRANSFORMER_ROWS:
        before, _, last = own.rpartition(".")
        parts = tuple(f"{before}.{part}" for part in FUSED.get(last, ()))
        for part in parts:
            found[part.replace(".", "_")] = OwnLayer(part, (), is_own=True)
        found[own.replace(".", "_")] = OwnLayer(own, parts, is_own=True)
        for other in others:
            found.setdefault(other.replace(".", "_"), OwnLayer(own, parts, is_own=False))
    return found


_TABLE = _table()
