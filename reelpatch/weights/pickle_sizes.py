"""What a torch pickle would take of memory, told from its archive's list and its program before either is unpacked."""

import pickletools
import zipfile
import zlib
from pathlib import Path

from reelpatch.errors import BadInput

MAX_UNPACKED_BYTES = 8 * 2**20
"""Of all that is not a stored tensor; the list of a model of 14 billion numbers takes less than 1 MiB."""
MAX_TENSORS_PER_FILE = 2
"""How many times the file's own size its tensors may come to; more than once where several share their numbers."""
_LIFT = "get it from a source you trust, or lift the bound"
# What makes memory out of a number alone, and stands in no file of weights.
_FROM_A_NUMBER = "bytearray"


def check_archive(path: Path, *, any_size: bool) -> None:
    """Looks at a torch archive before it is opened; what is no archive is left to whoever opens it.

    Raises: `BadInput` for tensors that are compressed, for more than `MAX_UNPACKED_BYTES` beside the tensors unless
    `any_size`, and for a program that makes memory from a number.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(path, archive.infolist(), any_size=any_size)
            for entry in archive.infolist():
                if entry.filename.endswith("/data.pkl"):
                    _check_program(path, archive.read(entry))
    except BadInput:
        raise
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, zlib.error):
        return


def check_tensors(path: Path, num_bytes: int, *, any_size: bool) -> None:
    """Raises: `BadInput` for tensors that claim far more than their file has, unless `any_size`."""
    in_file = path.stat().st_size
    if num_bytes > MAX_TENSORS_PER_FILE * in_file and not any_size:
        raise BadInput(
            f"{path} has {in_file / 1e6:.3g} MB, but its tensors claim {num_bytes / 1e6:.3g} MB, more than "
            f"{MAX_TENSORS_PER_FILE} times as much: {_LIFT}.",
            setting="any_size",
        )


def _check_entries(path: Path, entries: list[zipfile.ZipInfo], *, any_size: bool) -> None:
    tensors = [entry for entry in entries if "/data/" in entry.filename]
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in tensors):
        raise BadInput(
            f"{path} has its tensors compressed, so that they cannot be read one by one: save it once more with PyTorch, "
            "which stores them plainly."
        )
    unpacked = sum(entry.file_size for entry in entries) - sum(entry.file_size for entry in tensors)
    if unpacked > MAX_UNPACKED_BYTES and not any_size:
        raise BadInput(
            f"{path} unpacks to {unpacked / 1e6:.3g} MB beside its tensors, where {MAX_UNPACKED_BYTES / 1e6:.3g} MB is the "
            f"bound: {_LIFT}.",
            setting="any_size",
        )


def _check_program(path: Path, program: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name == "GLOBAL" and str(argument).split(" ")[-1] == _FROM_A_NUMBER:
            raise BadInput(
                f"{path} holds a {_FROM_A_NUMBER} besides weights, which was not made: get it from a source you trust, as "
                "plain weights or safetensors."
            )
