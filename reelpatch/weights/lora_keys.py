"""How trainers and tools spell the keys of a LoRA: which layer a tensor belongs to, and what it does there."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from reelpatch.families.wan import names as wan_names
from reelpatch.weights import names
from reelpatch.weights.lycoris_parts import PARTS

# `down` and `up` are a pair and `up_bias` what PEFT adds to its product; `weight`, `bias` and `modulation` are full
# differences; `factor` is one of several of a LoHa or LoKr, and `other` of a method that is told by name.
Part = Literal["down", "up", "up_bias", "alpha", "weight", "bias", "modulation", "factor", "other"]

_PAIR = re.compile(
    r"(?P<layer>.+?)[._](?:lora_(?P<half>A|B|down|up)|lora(?:_linear_layer)?\.(?P<old>down|up))"
    # PEFT puts the adapter's name (`default`) before the parameter's; Ditto's files have it.
    r"(?:(?:\.(?!weight|bias)[\w-]+)?\.(?P<parameter>weight|bias))?"
)
_HALVES: dict[str, Part] = {"A": "down", "down": "down", "B": "up", "up": "up"}
_WHOLE = re.compile(r"(?P<layer>.+)\.(?P<suffix>alpha|diff|diff_b|diff_m|w_norm|b_norm)(?:\.weight)?")
_WHOLES: dict[str, Part] = {
    **{"alpha": "alpha", "diff": "weight", "diff_b": "bias", "diff_m": "modulation"},
    **{"w_norm": "weight", "b_norm": "bias"},  # as LyCORIS writes the differences of norms
}
_METHODS = (
    ("DoRA", r"dora_scale|lora_magnitude_vector(?:\.[\w.-]+)?"),
    ("LoHa with a middle tensor (LyCORIS)", r"hada_t[12]"),
    ("LoKr with a middle tensor (LyCORIS)", r"lokr_t[12]"),
    ("a LoCon with a middle tensor (LyCORIS)", r"lora_mid(?:\.weight)?"),
    ("OFT", r"oft_(?:blocks|diag|[Rrs])(?:\.[\w.-]+)?"),
    ("GLoRA", r"[ab][12]\.weight"),
)
_ODD_PARTS = (
    ("replacing a weight", r"set_weight|reshape_weight"),
    ("a bias within the pair", r"lora_(?:A|down)(?:\.[\w-]+)?\.bias"),
)
METHODS = frozenset(method for method, _ in _METHODS)
"""The ways to change weights that are not applied here: a file that has such layers is none that is applied here."""
_OTHER = tuple(
    (method, re.compile(rf"(?P<layer>.+?)\.(?:{pattern})")) for method, pattern in (*_METHODS, *_ODD_PARTS)
)

_FACTOR = re.compile(rf"(?P<layer>.+?)\.(?P<name>{'|'.join(sorted(PARTS, reverse=True))})")

# A key without one of these is none of the above; said of a whole model's keys in a tenth of the time.
_MARK = re.compile(
    r"lora|dora_scale|hada_|lokr_|oft_|\.alpha|\.diff(?:[._]|$)|_norm|[ab][12]\.weight|set_weight|reshape_weight"
)

# Put before the layer's name, sometimes several deep. diffusers has two transformers where there are two experts.
_DOTTED = re.compile(
    r"(?:(?:base_model|diffusion_model|model|module|transformer(?:_2)?|pipe|dit2?|vace2?|unet|denoiser|lora_unet)\.)*"
)
# kohya's and musubi's, VideoX-Fun's (with a second underscore) and SimpleTuner's; underscores for dots follow.
_UNDERSCORED = re.compile(r"(?:(?:lora_unet|lora_transformer|lycoris|diffusion_model)_+)*")
_TEXT_ENCODER = re.compile(r"lora_te\d?_|(?:text_encoder|te)\d?\.|conditioner\.|cond_stage_model\.")


@dataclass(frozen=True)
class LoraKey:
    """The layer as the file spells it, and the part that the tensor plays; `method` names a `factor` or an `other` one."""

    layer: str
    part: Part
    method: str = ""


def read_key(key: str) -> LoraKey | None:
    """What a key says, or None where it is no LoRA's.

    Source: the files and loaders of PEFT, diffusers, kohya, musubi, LyCORIS, DiffSynth, lightx2v, kijai, ComfyUI.
    """
    if not _MARK.search(key):
        return None
    for method, pattern in _OTHER:
        if found := pattern.fullmatch(key):
            return LoraKey(found["layer"], "other", method)
    if found := _FACTOR.fullmatch(key):
        return LoraKey(found["layer"], "factor", found["name"])
    if found := _PAIR.fullmatch(key):
        half = _HALVES[found["half"] or found["old"]]
        return LoraKey(found["layer"], "up_bias" if found["parameter"] == "bias" else half)
    if found := _WHOLE.fullmatch(key):
        return LoraKey(found["layer"], _WHOLES[found["suffix"]])
    return None


def bare_layer(layer: str) -> str:
    """The layer as a file spells it, without what stands before its name, and with underscores for dots."""
    for prefixes in (_DOTTED, _UNDERSCORED):
        found = prefixes.match(layer := names.strip_prefix(layer))
        layer = layer[found.end() :] if found else layer
    return layer.replace(".", "_")


class LayerNames:
    """Finds the layers of one model, given by its native parameter names, under any spelling."""

    def __init__(self, parameters: Collection[str]) -> None:
        layers = {layer for name in parameters for layer in _owners(name)}
        self._native = {spelled.replace(".", "_"): layer for layer in layers for spelled in _spellings(layer)}

    def native(self, layer: str) -> str | None:
        """The native name of the layer that is meant, or None where this model has none of that name."""
        return self._native.get(bare_layer(layer))

    def why_not(self, layer: str) -> str:
        """What is known of a layer that this model lacks, as a clause."""
        if _TEXT_ENCODER.match(layer):
            return "it is for a text encoder, which LoRAs do not change here"
        if "vace_" in layer:
            return "it belongs to a VACE edit module, and there is none here with this layer"
        if any(
            mark in layer for mark in ("k_img", "v_img", "img_emb", "add_k_proj", "add_v_proj", "image_embed")
        ):
            return "it belongs to the image branch of an image-to-video model, which this model lacks"
        return "the model has no layer of this name"


def _owners(parameter: str) -> Iterator[str]:
    """The layers that a key may name to mean this parameter."""
    owner, _, last = parameter.rpartition(".")
    is_bare = last not in ("weight", "bias")
    if is_bare:
        yield parameter
    if owner and (not is_bare or last == "modulation"):  # lightx2v writes `blocks.0.diff_m`
        yield owner


def _spellings(layer: str) -> Iterator[str]:
    yield layer
    try:
        yield wan_names.native_to_diffusers(layer)
    except KeyError:
        return
