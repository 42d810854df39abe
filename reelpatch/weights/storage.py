"""How a file holds its numbers: the dtype of its weights, and the scales that belong to quantised ones."""

from collections import Counter
from collections.abc import Mapping
from math import prod

from reelpatch.families.tensor_info import TensorInfo

FLOAT8 = frozenset({"F8_E4M3", "F8_E5M2"})  # as safetensors spells them
# The marker and the suffixes of the two fp8 styles, the older one first. Source: ComfyUI 0.33, QUANTIZATION.md.
MARKER = "scaled_fp8"
TOKENIZER = "spiece_model"  # in ComfyUI's umt5 files: the sentencepiece model as bytes
_OLDER = (".scale_weight", ".scale_input")
_NEWER = (".weight_scale", ".input_scale", ".comfy_quant", ".weight_scale_2", ".pre_quant_scale")
_WEIGHT_SCALES = (".scale_weight", ".weight_scale")
# What other ways of quantising put where a weight would be. Source: AutoGPTQ, AutoAWQ, nunchaku, bitsandbytes.
_FOREIGN = ((".wscales", "SVDQuant"), (".qweight", "GPTQ, AWQ or SVDQuant"), (".absmax", "bitsandbytes"))
_QUANTISED = FLOAT8 | {"I8", "U8"}
_WORDS = {
    "F8_E4M3": "fp8_e4m3fn",
    "F8_E5M2": "fp8_e5m2",
    "BF16": "bf16",
    "F16": "fp16",
    "F32": "fp32",
    "F64": "fp64",
    "I8": "int8",
    "U8": "uint8",
}

Tensors = Mapping[str, TensorInfo]


def is_scale(key: str) -> bool:
    """Whether a key is a marker, a scale or a description of quantised weights, and not a weight."""
    return key.rpartition(".")[2] == MARKER or key.endswith((*_OLDER, *_NEWER))


def scaling_style(tensors: Tensors) -> str:
    """`plain`, `scale_weight` (the older fp8 style) or `comfy_quant` (the newer one)."""
    if any(key.endswith(_NEWER) for key in tensors):
        return "comfy_quant"
    return "scale_weight" if any(is_scale(key) for key in tensors) else "plain"


def foreign_quantisation(tensors: Tensors) -> str:
    """The way of quantising that no loader here reads, by the keys that it brings; empty where there is none."""
    return next((words for suffix, words in _FOREIGN if any(key.endswith(suffix) for key in tensors)), "")


def main_dtype(tensors: Tensors) -> str:
    """The dtype that holds most numbers, as safetensors spells it; empty for a file without any."""
    counts = _numbers_by_dtype(tensors)
    return counts.most_common(1)[0][0] if counts else ""


def words_for(dtype: str) -> str:
    """A dtype as people write it: `fp8_e4m3fn` for `F8_E4M3`."""
    return _WORDS.get(dtype, dtype.lower())


def dtype_words(tensors: Tensors) -> str:
    """The dtypes in words, the one of most numbers first: `fp8_e4m3fn with some bf16`."""
    names = [words_for(dtype) for dtype, _ in _numbers_by_dtype(tensors).most_common()]
    return f"{names[0]} with some {' and '.join(names[1:])}" if names[1:] else "".join(names)


def scale_faults(tensors: Tensors) -> list[str]:
    """Scales without the quantised weight they belong to, and fp8 weights that lack theirs; one clause for each."""
    lonely: list[str] = []
    scaled: set[str] = set()
    for key in filter(is_scale, tensors):
        layer, _, suffix = key.rpartition(".")
        weight = tensors.get(f"{layer}.weight")
        if suffix == MARKER:
            continue
        if weight is None or weight.dtype not in _QUANTISED:
            lonely.append(key)
        elif key.endswith(_WEIGHT_SCALES):
            scaled.add(f"{layer}.weight")
    faults = [f"{lonely[0]} ({len(lonely)} such) scales no quantised weight"] if lonely else []
    older = [key for key in tensors if key.endswith(_OLDER)]
    if older and not any(key.rpartition(".")[2] == MARKER for key in tensors):
        faults.append(f"it has scales such as {older[0]} but no {MARKER}, without which ComfyUI ignores them")
    bare = (
        [key for key, info in tensors.items() if info.dtype in FLOAT8 and len(info.shape) > 1]
        if scaled
        else []
    )
    bare = [key for key in bare if key not in scaled]
    if bare:
        faults.append(f"{bare[0]} ({len(bare)} such) is fp8 without a scale, where other weights have one")
    return faults


def _numbers_by_dtype(tensors: Tensors) -> Counter[str]:
    counts: Counter[str] = Counter()
    for key, info in tensors.items():
        if not is_scale(key) and key != TOKENIZER:
            counts[info.dtype] += prod(info.shape)
    return counts
