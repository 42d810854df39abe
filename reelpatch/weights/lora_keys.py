"""How trainers and tools spell the keys of a LoRA: which layer a tensor belongs to, and what it does there."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from reelpatch.weights import names

# `down` and `up` are a pair and `up_bias` what PEFT adds to its product; `weight`, `bias` and `modulation` are full
# differences; `other` is of a method that is told by name.
Part = Literal["down", "up", "up_bias", "alpha", "weight", "bias", "modulation", "other"]

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
_OTHERS = (
    ("DoRA", r"dora_scale|lora_magnitude_vector(?:\.[\w.-]+)?"),
    ("LoHa (LyCORIS)", r"hada_(?:w[12]_[ab]|t[12])"),
    ("LoKr (LyCORIS)", r"lokr_(?:w[12](?:_[ab])?|t[12])"),
    ("a LoCon with a middle tensor (LyCORIS)", r"lora_mid(?:\.weight)?"),
    ("OFT", r"oft_(?:blocks|diag|[Rrs])(?:\.[\w.-]+)?"),
    ("GLoRA", r"[ab][12]\.weight"),
    ("replacing a weight", r"set_weight|reshape_weight"),
    ("a bias within the pair", r"lora_(?:A|down)(?:\.[\w-]+)?\.bias"),
)
_OTHER = tuple((method, re.compile(rf"(?P<layer>.+?)\.(?:{pattern})")) for method, pattern in _OTHERS)

# Put before the layer's name, sometimes several deep.
_DOTTED = ("base_model.model.", "pipe.dit.", "pipe.vace.", "transformer.", "diffusion_model.", "model.")
# kohya's and musubi's, VideoX-Fun's (with a second underscore) and SimpleTuner's; underscores for dots follow.
_UNDERSCORED = re.compile(r"(?:lora_unet|lora_transformer|lycoris)_+")
_TEXT_ENCODER = re.compile(r"lora_te\d?_|(?:text_encoder|te)\d?\.|conditioner\.|cond_stage_model\.")


@dataclass(frozen=True)
class LoraKey:
    """The layer as the file spells it, and the part that the tensor plays; `method` names an `other` one."""

    layer: str
    part: Part
    method: str = ""


def read_key(key: str) -> LoraKey | None:
    """What a key says, or None where it is no LoRA's.

    Source: the files and loaders of PEFT, diffusers, kohya, musubi, LyCORIS, DiffSynth, lightx2v, kijai, ComfyUI.
    """
    for method, pattern in _OTHER:
        if found := pattern.fullmatch(key):
            return LoraKey(found["layer"], "other", method)
    if found := _PAIR.fullmatch(key):
        half = _HALVES[found["half"] or found["old"]]
        return LoraKey(found["layer"], "up_bias" if found["parameter"] == "bias" else half)
    if found := _WHOLE.fullmatch(key):
        return LoraKey(found["layer"], _WHOLES[found["suffix"]])
    return None


class LayerNames:
    """Finds the layers of one model, given by its native parameter names, under any spelling."""

    def __init__(self, parameters: Collection[str]) -> None:
        self._layers = {layer for name in parameters for layer in _owners(name)}
        self._underscored = {
            spelled.replace(".", "_"): layer for layer in self._layers for spelled in _spellings(layer)
        }

    def native(self, layer: str) -> str | None:
        """The native name of the layer that is meant, or None where this model has none of that name."""
        bare = names.strip_prefix(layer)
        while bare not in self._layers:
            prefix = next((prefix for prefix in _DOTTED if bare.startswith(prefix)), None)
            if prefix is None:
                break
            bare = bare.removeprefix(prefix)
        if bare in self._layers:
            return bare
        if "." not in bare:
            return self._underscored.get(_UNDERSCORED.sub("", bare, count=1))
        try:
            native = names.diffusers_to_native(bare)
        except KeyError:
            return None
        return native if native in self._layers else None

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
        yield names.native_to_diffusers(layer)
    except KeyError:
        return
