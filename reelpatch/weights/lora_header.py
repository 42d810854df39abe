"""What a LoRA file is for and how it is spelled, told from its keys and shapes alone."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from reelpatch.families.tensor_info import TensorInfo
from reelpatch.families.wan import layouts
from reelpatch.families.wan import names as wan_names
from reelpatch.weights.hunyuan_lora import is_for_hunyuan, own_layer
from reelpatch.weights.lora_keys import METHODS, bare_layer, read_key
from reelpatch.weights.lycoris_parts import Layout
from reelpatch.weights.safetensors_header import shown

_BLOCK = re.compile(r"(?P<stack>vace_blocks|blocks)_\d{1,3}(?=_|$)")
_ROWS = layouts.BACKBONE | layouts.IMAGE | layouts.FIRST_AND_LAST | layouts.VACE
_OTHER_MODELS = (
    ("double_blocks", "HunyuanVideo or FLUX"),
    ("single_transformer_blocks", "FLUX"),
    ("transformer_blocks", "LTX, Qwen-Image or another model in diffusers naming"),
    ("lora_unet_down_blocks", "Stable Diffusion"),
    ("lora_unet_input_blocks", "SDXL"),
    ("lora_te", "text encoder"),
)
_HUNYUAN = "HunyuanVideo-1.5"
Pair = dict[str, TensorInfo]


@dataclass(frozen=True)
class LoraHeader:
    """`base` is what it changes, in words; `sizes` as `layouts.Fit` has them; `faults` are clauses.

    `method` names the way in which some of its layers are changed that is not applied here; empty where all are. `forms` are
    those of LoHa and LoKr that it has.
    """

    base: str
    sizes: Mapping[str, int]
    ranks: tuple[int, ...]
    method: str
    num_native: int
    forms: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def kind_words(self) -> str:
        """What such a file is called: `a LoRA`, `an OFT`."""
        return _with_article(self.method or "LoRA")

    def base_words(self, size: str) -> str:
        """What it changes, of a size such as `14B` or of none that is known: `a 14B Wan backbone`."""
        return _with_article(f"{size} {self.base}".strip())

    @property
    def refusal(self) -> str:
        """Why it is not applied here and what to do, to follow the file's name; empty where it may fit a model."""
        if self.method:
            return (
                f"is {self.kind_words}, which is not applied here: merge it into the model with the tool it was trained "
                "with, or take a plain LoRA that was extracted from it."
            )
        if not self.num_native:
            return (
                f"is a LoRA for {self.base_words('')}: none of its layers is one of a Wan or {_HUNYUAN} model; choose one that was "
                "made for this model."
            )
        return ""


def is_lora(keys: Collection[str]) -> bool:
    """Whether at least half of a file's keys can only be those of a LoRA."""
    parts = [read_key(key) for key in keys]
    # Other models have such keys too.
    num_shared = sum(part is not None and (part.part == "alpha" or part.method == "DoRA") for part in parts)
    num_lora_keys = sum(part is not None for part in parts) - num_shared
    return num_lora_keys > 0 and num_lora_keys >= len(parts) - num_shared - num_lora_keys


def read_lora(tensors: Mapping[str, TensorInfo]) -> LoraHeader:
    """What a LoRA's keys say of the model that it is for."""
    pairs: dict[str, Pair] = {}
    factors: dict[str, Pair] = {}
    strangers: list[str] = []
    layers: dict[str, None] = {}
    methods: dict[str, str] = {}
    for key, info in tensors.items():
        read = read_key(key)
        if read is None:
            strangers.append(key)
            continue
        layers[read.layer] = None
        if read.method in METHODS:
            methods[read.layer] = read.method
        elif read.part == "factor":
            factors.setdefault(read.layer, {})[read.method] = info
        elif read.part in ("down", "up"):
            if read.part in pairs.setdefault(read.layer, {}):
                strangers.append(key)
            pairs[read.layer][read.part] = info
    is_hunyuan = is_for_hunyuan({layer: pairs.get(layer, {}) for layer in layers})
    find = _hunyuan_layer if is_hunyuan else _native_layer
    native = {layer: path for layer in layers if (path := find(layer))}
    sizes: dict[str, int] = {}
    misfits = list(_misfits(pairs, native, sizes))
    lone = [layer for layer, pair in pairs.items() if len(pair) < 2]
    laid_out = {layer: _laid_out(parts) for layer, parts in factors.items()}
    odd = list(_odd_factors(laid_out, native, sizes))
    faults = (
        (list(methods), f"of its {len(layers)} layers are {' and '.join(sorted({*methods.values()}))}"),
        (strangers, "keys are no part of a low-rank pair"),
        (lone, "pairs lack a half"),
        (misfits, "pairs have shapes that do not fit together or fit no layer"),
        (odd, "layers have parts of a LoHa or LoKr that do not fit together or fit no layer"),
        (
            [layer for layer in layers if layer not in native],
            f"layers are none of a {_HUNYUAN if is_hunyuan else 'Wan'} model",
        ),
    )
    return LoraHeader(
        base=f"{_HUNYUAN} backbone" if is_hunyuan else _base(native, list(layers)),
        sizes=sizes,
        ranks=tuple(sorted(_ranks(pairs, laid_out))),
        method=next(iter(methods.values()), ""),
        num_native=len(native),
        forms=tuple(sorted({one.method for one in laid_out.values() if isinstance(one, Layout)})),
        faults=tuple(f"{len(items)} {what} ({shown(items[0])})" for items, what in faults if items),
    )


def _ranks(pairs: Mapping[str, Pair], laid_out: Mapping[str, Layout | str]) -> set[int]:
    of_pairs = {pair["down"].shape[0] for pair in pairs.values() if "down" in pair and pair["down"].shape}
    return of_pairs | {one.rank for one in laid_out.values() if isinstance(one, Layout) and one.rank}


def _laid_out(parts: Pair) -> Layout | str:
    return Layout.of({part: info.shape for part, info in parts.items()})


def _odd_factors(
    laid_out: Mapping[str, Layout | str], native: Mapping[str, str], sizes: dict[str, int]
) -> Iterator[str]:
    for layer, layout in laid_out.items():
        dims = _ROWS.get(f"{native.get(layer)}.weight", "").split()
        if isinstance(layout, Layout) and len(dims) == 2:
            layouts.bind(dims, layout.shape, sizes)
        if isinstance(layout, str) or (len(dims) == 2 and not layouts.agrees(dims, layout.shape, sizes)):
            yield layer


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiouO' else 'a'} {words.removeprefix('a ')}"


def _base(native: Mapping[str, str], spelled: list[str]) -> str:
    if not native:
        joined = "\n".join(spelled)
        return next((name for mark, name in _OTHER_MODELS if mark in joined), "unknown model")
    paths = native.values()
    if any(map(layouts.is_of_module, paths)):
        return "VACE edit module" if all(map(layouts.is_of_module, paths)) else "VACE model"
    if any("_img" in path or path.startswith("img_emb") for path in paths):
        return "Wan image-to-video backbone"
    return "Wan backbone"


def _native_layer(layer: str) -> str | None:
    """The native layer, with `#` for the block's number; None for one that no Wan model has."""
    name = bare_layer(layer)
    block = _BLOCK.match(name)
    if block is None:
        return _PATHS.get(name)
    if name == block[0]:  # lightx2v writes the change of a block's modulation as `blocks.0.diff_m`
        return f"{block['stack']}.#.modulation"
    return _PATHS.get(f"{block['stack']}_#{name[block.end() :]}") or _PATHS.get(name)


def _hunyuan_layer(layer: str) -> str | None:
    found = own_layer(layer)
    return None if found is None else found.name


def _layer_paths() -> dict[str, str]:
    """Native layer by its name with underscores for dots, from the native and from the diffusers spelling."""
    paths: dict[str, str] = {"head": "head.modulation"}
    for row in _ROWS:
        layer = row.removesuffix(".weight").removesuffix(".bias")
        paths[layer.replace(".", "_")] = layer
        spelled = wan_names.native_to_diffusers(layer.replace("#", "0"))
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
