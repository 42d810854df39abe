"""Large files stay on disk: loading them adds next to nothing to the memory of the process."""

import ctypes
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.headless.models.text_encoder import load_text_encoder
from reelpatch.headless.models.wan_transformer import load_backbone, load_module

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's account of memory")
BYTES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1}
WIDTH, INNER, BLOCKS = 896, 2432, 24
Shapes = dict[str, tuple[int, ...]]
State = dict[str, Tensor]
SaveState = Callable[..., Path]


def private_bytes() -> int:
    return 1024 * int(STATUS.read_text().split("RssAnon:")[1].split()[0])


def hand_back() -> None:
    """Gives back what earlier tests freed and glibc keeps: used again, it would hide what loading adds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def save_sparse(
    path: Path, shapes: Shapes, dtype_of: Callable[[str], str], metadata: Mapping[str, str]
) -> int:
    """A safetensors file of zeros that takes no room on disk; its size in bytes."""
    header, end = {"__metadata__": dict(metadata)}, 0
    for key, shape in shapes.items():
        dtype = dtype_of(key)
        begin, end = end, end + BYTES[dtype] * torch.Size(shape).numel()
        header[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path.stat().st_size


def grown(
    shapes: Shapes, block: str, old: tuple[int, int], new: tuple[int, int], blocks: int = BLOCKS
) -> Shapes:
    """The shapes of a tiny model at another width and inner width, its block 0 (of the stack) repeated."""

    def resized(shape: tuple[int, ...]) -> tuple[int, ...]:
        sizes = {old[0]: new[0], 6 * old[0]: 6 * new[0], old[1]: new[1]}
        # The 96 channels of a context happen to be the tiny model's inner width.
        return tuple(
            sizes.get(size, size) if axis == 0 or len(shape) < 5 else size for axis, size in enumerate(shape)
        )

    first = {key: shape for key, shape in shapes.items() if key.startswith(f"{block}.0.")}
    rest = {key: shape for key, shape in shapes.items() if not key.startswith(f"{block}.")}
    result = {key: resized(shape) for key, shape in rest.items()}
    for number in range(blocks):
        for key, shape in first.items():
            if "before_proj" not in key or not number:
                result[key.replace(f"{block}.0.", f"{block}.{number}.")] = resized(shape)
    return result


def is_matrix(key: str) -> bool:
    return key.endswith(".weight") and "norm" not in key and "patch" not in key


FORMS: dict[str, Callable[[str], str]] = {
    "bf16": lambda _: "BF16",
    "fp16": lambda _: "F16",
    "fp8": lambda key: "F8_E4M3" if is_matrix(key) else "F16",
    "fp8 scaled": lambda key: (
        "F32" if "scale" in key else "F8_E4M3" if is_matrix(key) and "blocks" in key else "BF16"
    ),
}


def with_factors(shapes: Shapes, form: str) -> Shapes:
    if form != "fp8 scaled":
        return shapes
    layers = [key.removesuffix(".weight") for key in shapes if is_matrix(key) and "blocks" in key]
    return shapes | {f"{layer}.weight_scale": () for layer in layers}


def growth(load: Callable[[Path], object], tiny: Path, large: Path) -> int:
    """Anonymous memory that loading a large file adds, once a tiny one has brought the code in.

    The lesser of two times: what other tests left in the process is now and then taken up during the first.
    """
    load(tiny)
    added: list[int] = []
    for _ in range(2):
        hand_back()
        before = private_bytes()
        loaded = load(large)
        added.append(private_bytes() - before)
        del loaded
    return min(added)


TRANSFORMERS = [
    *(("backbone", form) for form in FORMS),
    *(("module", form) for form in ("fp16", "fp8 scaled")),
]


@pytest.mark.parametrize(("part", "form"), TRANSFORMERS)
def test_a_transformer_stays_on_disk(
    form: str, part: str, backbone_state: State, module_state: State, save: SaveState, tmp_path: Path
) -> None:
    state, stack = (backbone_state, "blocks") if part == "backbone" else (module_state, "vace_blocks")
    shapes = grown({key: tuple(t.shape) for key, t in state.items()}, stack, (128, 96), (WIDTH, INNER))
    metadata = {LAYERS_KEY: ",".join(map(str, range(BLOCKS)))}
    path = tmp_path / "large.safetensors"
    num_bytes = save_sparse(path, with_factors(shapes, form), FORMS[form], metadata)
    assert num_bytes > 120e6
    tiny = save(state, metadata={LAYERS_KEY: "0,2"})
    assert (
        growth(load_backbone if part == "backbone" else partial(load_module, work=VaceWork()), tiny, path)
        < 0.05 * num_bytes
    )


def text_shapes(blocks: int, width: int, inner: int, tokens: int) -> Shapes:
    shapes: Shapes = {"token_embedding.weight": (tokens, width), "norm.weight": (width,)}
    for i in range(blocks):
        shapes |= {f"blocks.{i}.attn.{layer}.weight": (width, width) for layer in "qkvo"}
        shapes |= {f"blocks.{i}.ffn.{layer}.weight": (inner, width) for layer in ("gate.0", "fc1")}
        shapes[f"blocks.{i}.ffn.fc2.weight"] = (width, inner)
        shapes |= {f"blocks.{i}.norm1.weight": (width,), f"blocks.{i}.norm2.weight": (width,)}
        shapes[f"blocks.{i}.pos_embedding.embedding.weight"] = (32, 8)
    return shapes


@pytest.mark.parametrize("form", ["bf16", "fp16", "fp8 scaled"])
def test_a_text_encoder_stays_on_disk(form: str, tmp_path: Path) -> None:
    tokenizer = {"type": "WordLevel", "unk_token": "</s>", "vocab": {"</s>": 0}}
    text = json.dumps({"version": "1.0", "added_tokens": [], "model": tokenizer})
    metadata = {"tokenizer_json": text}
    tiny, path = tmp_path / "tiny.safetensors", tmp_path / "large.safetensors"
    save_sparse(tiny, text_shapes(1, 16, 24, 9), FORMS["bf16"], metadata)

    def dtype_of(key: str) -> str:
        is_small = "pos_embedding" in key or "token_embedding" in key
        return "F16" if form == "fp8 scaled" and is_small else FORMS[form](key)

    shapes = text_shapes(BLOCKS, 512, 1280, 100_000)
    if form == "fp8 scaled":
        layers = [key.removesuffix(".weight") for key in shapes if ".attn." in key or ".ffn." in key]
        shapes |= {f"{layer}.scale_weight": () for layer in layers}
        shapes["scaled_fp8"] = (0,)
    num_bytes = save_sparse(path, shapes, dtype_of, metadata)
    assert num_bytes > 120e6
    assert growth(load_text_encoder, tiny, path) < 0.05 * num_bytes


def test_a_copy_would_be_seen(backbone_state: State, save: SaveState, tmp_path: Path) -> None:
    """What the bar is there for: another dtype for every weight."""
    shapes = grown(
        {key: tuple(t.shape) for key, t in backbone_state.items()}, "blocks", (128, 96), (WIDTH, INNER)
    )
    path = tmp_path / "large.safetensors"
    num_bytes = save_sparse(path, shapes, FORMS["bf16"], {})
    copied = growth(
        lambda file: [tensor.float() for tensor in load_file(file).values()], save(backbone_state), path
    )
    assert copied > num_bytes
