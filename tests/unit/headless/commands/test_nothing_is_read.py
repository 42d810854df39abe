"""Loading a large file reads its header and small tensors; its matrices are not touched before they are used."""

import ctypes
import json
import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.weights.header import Kind
from reelpatch.weights.weight_files import expect_weights
from tests.unit.headless.models.test_mapped_weights import FORMS, grown, save_sparse

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's mincore")
# As wide as 14B: matrices are so large that what is read ahead of their neighbours ends before their middle.
WIDTH, INNER, BLOCKS = 5120, 13824, 4
State = dict[str, Tensor]
SaveState = Callable[..., Path]


def bytes_in_memory(path: Path) -> NDArray[np.bool_]:
    """For each page of a file, whether the system has read it."""
    num_bytes, page = path.stat().st_size, mmap.PAGESIZE
    num_pages = -(-num_bytes // page)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    with path.open("rb") as file:
        start = libc.mmap(None, num_bytes, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    pages = (ctypes.c_ubyte * num_pages)()
    assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(num_bytes), pages) == 0
    libc.munmap(ctypes.c_void_p(start), ctypes.c_size_t(num_bytes))
    return (np.frombuffer(pages, np.uint8) & 1).astype(bool)


def matrices_read(path: Path) -> tuple[int, int]:
    """How many matrices of blocks have had their middle read, of how many; ends may be read with their neighbours."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    pages = bytes_in_memory(path)
    spans = [info["data_offsets"] for key, info in header.items() if "blocks." in key]
    middles = [8 + length + (begin + end) // 2 for begin, end in spans if end - begin >= 2**22]
    return sum(int(pages[middle // mmap.PAGESIZE]) for middle in middles), len(middles)


@pytest.mark.parametrize("form", ["bf16", "fp8"])
@pytest.mark.parametrize("part", ["backbone", "module"])
def test_no_matrix_is_read_at_load(
    form: str, part: str, backbone_state: State, module_state: State, tmp_path: Path
) -> None:
    state, stack = (backbone_state, "blocks") if part == "backbone" else (module_state, "vace_blocks")
    blocks = BLOCKS if form == "bf16" else 2 * BLOCKS
    shapes = grown(
        {key: tuple(t.shape) for key, t in state.items()}, stack, (128, 96), (WIDTH, INNER), blocks
    )
    path = tmp_path / "large.safetensors"
    metadata = {LAYERS_KEY: ",".join(map(str, range(blocks)))}
    assert save_sparse(path, shapes, FORMS[form], metadata) > 2 * 2**30
    loaded = load_backbone(path) if part == "backbone" else load_module(path, VaceWork())
    read, found = matrices_read(path)
    assert found > 7 * blocks
    assert read == 0
    # That it would be seen:
    with safe_open(path, "pt") as tensors:
        assert tensors.get_tensor(f"{stack}.1.ffn.0.weight").view(torch.uint8).max() == 0
    assert matrices_read(path)[0] == 1
    del loaded


def test_a_header_is_all_that_tells_what_a_file_is(backbone_state: State, tmp_path: Path) -> None:
    shapes = grown(
        {key: tuple(t.shape) for key, t in backbone_state.items()}, "blocks", (128, 96), (WIDTH, INNER), 4
    )
    path = tmp_path / "large.safetensors"
    save_sparse(path, shapes, FORMS["bf16"], {})
    assert expect_weights(path, Kind.BACKBONE).width == WIDTH
    assert matrices_read(path)[0] == 0
