"""A LoRA file in any of its usual spellings, read as low-rank pairs under the native names of the layers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from reelpatch.weights import names

# Trainers and tools wrap the layer's name in these, sometimes several deep.
_PREFIXES = ("base_model.model.", "pipe.dit.", "pipe.vace.", "transformer.", "diffusion_model.", "model.")
# PEFT puts the adapter's name (`default`) before `weight`; Ditto's files have it.
_HALF = re.compile(r"(?P<layer>.+)\.(?P<half>lora_A|lora_down|lora_B|lora_up)(\.\w+)?\.weight")
_DOWN = ("lora_A", "lora_down")
_DELTA = re.compile(r".+\.(diff|diff_b|diff_m)")


@dataclass(frozen=True)
class LoraPair:
    """What a LoRA adds to one layer: `W + strength * scale * up @ down`.

    Shapes: down [rank, in], up [out, rank].
    """

    down: Tensor
    up: Tensor
    scale: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


@dataclass(frozen=True)
class Lora:
    """Pairs by native layer name, and the file's other keys with the reason why each is not used."""

    pairs: Mapping[str, LoraPair]
    unmatched: Mapping[str, str]


def match_lora(state: Mapping[str, Tensor], layers: Mapping[str, tuple[int, ...]]) -> Lora:
    """The pairs of `state` that fit `layers`, the weight shapes [out, in] by native layer name.

    The scale is alpha / rank where the file has an alpha, else 1. Every key is in a pair or in `unmatched`.
    Source: kijai's, lightx2v's, DiffSynth's and PEFT's files as they are spelled.
    """
    halves: dict[str, dict[str, str]] = {}
    alphas: dict[str, str] = {}
    unmatched: dict[str, str] = {}
    for key in state:
        if half := _HALF.fullmatch(key):
            halves.setdefault(half["layer"], {})["down" if half["half"] in _DOWN else "up"] = key
        elif key.endswith(".alpha"):
            alphas[key.removesuffix(".alpha")] = key
        else:
            is_delta = _DELTA.fullmatch(key)
            unmatched[key] = (
                "a full weight delta is not applied" if is_delta else "not part of a low-rank pair"
            )
    pairs: dict[str, LoraPair] = {}
    for layer, half_keys in halves.items():
        name = _native(layer, layers)
        reason = _misfit(name, half_keys, state, layers)
        if name is None or reason:
            unmatched |= dict.fromkeys(half_keys.values(), reason)
            continue
        down, up = state[half_keys["down"]], state[half_keys["up"]]
        alpha = alphas.pop(layer, None)
        pairs[name] = LoraPair(down, up, float(state[alpha]) / down.shape[0] if alpha else 1.0)
    unmatched |= dict.fromkeys(alphas.values(), "its layer has no pair in use")
    return Lora(pairs, unmatched)


def _native(layer: str, layers: Mapping[str, tuple[int, ...]]) -> str | None:
    while layer not in layers:
        prefix = next((prefix for prefix in _PREFIXES if layer.startswith(prefix)), None)
        if prefix is None:
            break
        layer = layer.removeprefix(prefix)
    if layer in layers:
        return layer
    try:
        native = names.diffusers_to_native(layer)
    except KeyError:
        return None
    return native if native in layers else None


def _misfit(
    name: str | None,
    half_keys: dict[str, str],
    state: Mapping[str, Tensor],
    layers: Mapping[str, tuple[int, ...]],
) -> str:
    """Why this layer's keys can't be used; empty where they can."""
    if name is None:
        return "the model has no layer of this name"
    if len(half_keys) == 1:
        return "the other half of the pair is missing"
    down, up = state[half_keys["down"]].shape, state[half_keys["up"]].shape
    if (*up[:1], *down[1:]) != tuple(layers[name]) or up[1:] != down[:1]:
        return f"its shapes {tuple(down)} and {tuple(up)} do not fit the layer's {tuple(layers[name])}"
    return ""
