"""Weight files as loaders take them: safetensors files and torch pickles (.pth, .pt), both mapped."""

import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from reelpatch.families.kinds import FileKind
from reelpatch.weights.header import KnownFile, TensorInfo, describe, expect, require
from reelpatch.weights.pickles import open_pickle

_SUFFIXES = (".pth", ".pt", ".ckpt")
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}


def expect_weights(path: Path, *kinds: FileKind) -> KnownFile:
    """The safetensors file or pickle at `path`, if it is of one of these kinds.

    Raises: `BadInput` that says what it is and where it belongs; for a pickle that holds more than tensors, of which
    nothing was run; for a damaged one.
    """
    if not is_pickle(path):
        return expect(path, *kinds)
    infos = {
        key: TensorInfo(_DTYPES.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape), tensor.nbytes)
        for key, tensor in open_pickle(path).items()
    }
    return require(describe(path, infos, {}), *kinds)


def is_pickle(path: Path) -> bool:
    """Whether it is a ZIP archive with a pickle's name, as torch writes them."""
    return path.suffix.lower() in _SUFFIXES and zipfile.is_zipfile(path)


@contextmanager
def open_tensors(file: KnownFile, device: torch.device) -> Generator[Callable[[str], Tensor]]:
    """A function from the file's own keys to tensors on `device`; on the CPU they are the file's own pages."""
    if is_pickle(file.path):
        tensors = open_pickle(file.path)
        yield lambda key: tensors[key].to(device)
    else:
        with safe_open(file.path, framework="pt", device=str(device)) as opened:
            yield opened.get_tensor
