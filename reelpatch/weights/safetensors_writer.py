"""Writes safetensors files tensor by tensor, in any order, so that no more than one has to be in memory."""

import json
from collections.abc import Mapping
from io import BufferedRandom
from pathlib import Path

import torch
from torch import Tensor

Shapes = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]

_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
}
_LENGTH_BYTES = 8
_ALIGNMENT = 8  # the header is padded to it; wider numbers come first, so that all of them are aligned
CHUNK_BYTES = 2**24


class SafetensorsWriter:
    """A file of which names, dtypes and shapes are known, and to which each tensor is added once.

    Source: the safetensors format: 8 bytes of length, a JSON header, then the bytes that its offsets point to.
    """

    def __init__(self, path: Path, tensors: Shapes, metadata: Mapping[str, str]) -> None:
        header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
        self._offsets: dict[str, int] = {}
        end = 0
        for name, (dtype, shape) in sorted(tensors.items(), key=lambda item: (-item[1][0].itemsize, item[0])):
            begin, end = end, end + num_bytes(dtype, shape)
            header[name] = {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": (begin, end)}
            self._offsets[name] = begin
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        self._expected = dict(tensors)
        self._start = _LENGTH_BYTES + len(text)
        self._file: BufferedRandom = path.open("w+b")
        self._file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
        self._file.truncate(self._start + end)

    def write(self, name: str, tensor: Tensor) -> None:
        """Adds a tensor. Raises: `ValueError` for one that was not announced like this, or was written before."""
        if self._expected.pop(name, None) != (tensor.dtype, tuple(tensor.shape)):
            raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, which was not announced")
        self._file.seek(self._start + self._offsets[name])
        flat = tensor.contiguous().flatten().view(torch.uint8)
        for chunk in flat.split(CHUNK_BYTES):
            self._file.write(chunk.numpy().data)

    def close(self) -> None:
        """Closes the file, on disk. Raises: `ValueError` when a tensor is still to come."""
        self._file.flush()
        self._file.close()
        if self._expected:
            raise ValueError(
                f"{len(self._expected)} tensors were never written, such as {min(self._expected)}"
            )

    def abandon(self) -> None:
        """Closes the file as it is."""
        self._file.close()


def num_bytes(dtype: torch.dtype, shape: tuple[int, ...]) -> int:
    """Of a tensor as it is stored."""
    return dtype.itemsize * int(torch.Size(shape).numel())
