"""What a LoRA file is for and how it is spelled, told from its keys and shapes alone."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from reelpatch.weights import layouts, names
from reelpatch.weights.safetensors_header import TensorInfo, shown

_KEY = re.compile(
    r"(?P<layer>.+)\.(?P<part>lora_A|lora_B|lora_down|lora_up)(?P<adapter>\.\w+)?\.(?P<what>weight|bias)"
    r"|(?P<whole>.+)\.(?P<delta>diff|diff_b|diff_m|alpha|lora_magnitude_vector|dora_scale)(\.weight)?"
)
_DOWN = frozenset({"lora_A", "lora_down"})
# Other ways to write a change of weights, which are no low-rank pairs.
_ADDITIONS = (".alpha", ".dora_scale")
_SHARED = frozenset({"alpha", "dora_scale"})  # other models have such keys too
_LYCORIS = (".hada_w1_a", ".lokr_w1", ".lokr_w1_a", ".oft_blocks", ".oft_diag")
_DOTTED = re.compile(
    r"^(?:(?:base_model|diffusion_model|model|transformer|pipe|dit|vace|module|unet|lora_unet)\.)*"
)
_UNDERSCORED = re.compile(r"^(?:lora_unet_+|lycoris_+|diffusion_model_)*")
_BLOCK = re.compile(r"(?P<stack>vace_blocks|blocks)_\d{1,3}(?=_|$)")
_ROWS = layouts.BACKBONE | layouts.IMAGE | layouts.FIRST_AND_LAST | layouts.VACE
_OTHER_MODELS = (
    ("double_blocks", "HunyuanVideo or FLUX"),
    ("single_transformer_blocks", "FLUX"),
    ("transformer_blocks", "LTX, Qwen-Image or another model in diffusers naming"),
    ("lora_unet_down_blocks", "Stable Diffusion"),
    ("lora_unet_input_blocks", "SDXL"),
    ("lora_te", "a text encoder"),
)
Pair = dict[str, TensorInfo]


@dataclass(frozen=True)
class LoraHeader:
    """`base` is what it changes, in words; `sizes` as `layouts.Fit` has them; `faults` are clauses."""

    base: str
    sizes: Mapping[str, int]
    ranks: tuple[int, ...]
    spelling: str
    faults: tuple[str, ...]


def is_lora(keys: Collection[str]) -> bool:
    """Whether at least half of a file's keys can only be those of a LoRA."""
    num_lora_keys = sum(
        key.endswith(_LYCORIS) or bool((found := _KEY.fullmatch(key)) and found["delta"] not in _SHARED)
        for key in keys
    )
    num_other_keys = sum(not key.endswith(_ADDITIONS) for key in keys) - num_lora_keys
    return num_lora_keys > 0 and num_lora_keys >= num_other_keys


def read_lora(tensors: Mapping[str, TensorInfo]) -> LoraHeader:
    """What a LoRA's keys say of the model that it is for."""
    pairs: dict[str, Pair] = {}
    strangers: list[str] = []
    layers: dict[str, None] = {}
    spellings: set[str] = set()
    for key, info in tensors.items():
        found = _KEY.fullmatch(key)
        if found is None:
            strangers.append(key)
            continue
        layers[found["layer"] or found["whole"]] = None
        if found["whole"]:
            spellings |= {"full deltas"} if found["delta"].startswith("diff") else set()
        elif found["what"] == "weight":
            half = "down" if found["part"] in _DOWN else "up"
            if half in pairs.setdefault(found["layer"], {}):
                strangers.append(key)
            pairs[found["layer"]][half] = info
            spellings.add("lora_A/lora_B" if found["part"] in {"lora_A", "lora_B"} else "lora_down/lora_up")
    native = {layer: path for layer in layers if (path := _native_layer(layer))}
    sizes: dict[str, int] = {}
    misfits = list(_misfits(pairs, native, sizes))
    faults = (
        (strangers, "keys are no part of a low-rank pair"),
        ([layer for layer, pair in pairs.items() if len(pair) < 2], "pairs lack a half"),
        (misfits, "pairs have shapes that do not fit together or fit no layer"),
        ([layer for layer in layers if layer not in native], "layers are none of a Wan model"),
    )
    return LoraHeader(
        base=_base(native, list(layers)),
        sizes=sizes,
        ranks=tuple(
            sorted(
                {pair["down"].shape[0] for pair in pairs.values() if "down" in pair and pair["down"].shape}
            )
        ),
        spelling=" and ".join(sorted(spellings)),
        faults=tuple(f"{len(items)} {what} ({shown(items[0])})" for items, what in faults if items),
    )


def _base(native: Mapping[str, str], spelled: list[str]) -> str:
    if not native:
        joined = "\n".join(spelled)
        return next((name for mark, name in _OTHER_MODELS if mark in joined), "an unknown model")
    paths = native.values()
    if any(path.startswith("vace_") for path in paths):
        return "VACE edit module" if all(path.startswith("vace_") for path in paths) else "VACE model"
    if any("_img" in path or path.startswith("img_emb") for path in paths):
        return "Wan image-to-video backbone"
    return "Wan backbone"


def _native_layer(layer: str) -> str | None:
    """The native layer, with `#` for the block's number; None for one that no Wan model has."""
    bare = _UNDERSCORED.sub("", layer) if "." not in layer else _DOTTED.sub("", layer)
    name = bare.replace(".", "_")
    block = _BLOCK.match(name)
    if block is None:
        return _PATHS.get(name)
    if name == block[0]:  # lightx2v writes the change of a block's modulation as `blocks.0.diff_m`
        return f"{block['stack']}.#.modulation"
    return _PATHS.get(f"{block['stack']}_#{name[block.end() :]}") or _PATHS.get(name)


def _layer_paths() -> dict[str, str]:
    """Native layer by its name with underscores for dots, from the native and from the diffusers spelling."""
    paths: dict[str, str] = {"head": "head.modulation"}
    for row in _ROWS:
        layer = row.removesuffix(".weight").removesuffix(".bias")
        paths[layer.replace(".", "_")] = layer
        spelled = names.native_to_diffusers(layer.replace("#", "0"))
        paths[spelled.replace("blocks.0.", "blocks.#.").replace(".", "_")] = layer
    return paths


def _misfits(pairs: Mapping[str, Pair], native: Mapping[str, str], sizes: dict[str, int]) -> Iterator[str]:
    for layer, pair in pairs.items():
        if len(pair) < 2:
            continue
        down, up = pair["down"].shape, pair["up"].shape
        dims = _ROWS.get(f"{native.get(layer)}.weight", "").split()
        fits = len(down) == len(up) > 1 and down[0] == up[1] and len(down) == (len(dims) or len(down))
        if fits and len(down) == len(dims) == 2:
            shape = (up[0], down[1])
            layouts.bind(dims, shape, sizes)
            fits = layouts.agrees(dims, shape, sizes)
        if not fits:
            yield layer


_PATHS = _layer_paths()
