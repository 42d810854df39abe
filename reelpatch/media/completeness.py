"""Whether a film was cut short, from what its container announces."""

import struct
from pathlib import Path

from reelpatch.errors import BadInput

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_SLOPPY_BYTES = 8  # writers of AVI count a chunk's own head or not


def check_complete(path: Path, container: str, num_packets: int, announced: int) -> None:
    """Looks at the end of a film whose `num_packets` frames were read; its header `announced` so many, 0 if it does not.

    A Matroska or AVI file is whole when it is as long as it says: its last frame may last long, and dropped frames are
    counted in an AVI, but not stored.
    Raises: `BadInput` for a film that was cut short.
    """
    if container == "avi":
        missing = _missing_of_avi(path)
    elif container.startswith("matroska"):
        missing = _missing_of_matroska(path)
    elif num_packets < announced:
        raise BadInput(
            f"{path} is cut short: it has {num_packets} of the {announced} frames it announces; get the complete file."
        )
    else:
        return
    if missing > 0:
        raise BadInput(
            f"{path} is cut short: {missing:,} bytes of those it announces are missing; get the complete file."
        )


def _missing_of_avi(path: Path) -> int:
    """0 for a recording that never learned its length, whose size is 0 or all ones."""
    length, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at + 12 <= length:
            file.seek(at)
            kind, size = struct.unpack("<4sI", file.read(8))
            if kind != b"RIFF" or size in {0, 0xFFFFFFFF}:
                return 0
            at += 8 + size + size % 2
    return max(0, at - length - _SLOPPY_BYTES)


def _missing_of_matroska(path: Path) -> int:
    """0 for a recording that never learned its length, whose size is unknown."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(_EBML):
        return 0
    size, at = _ebml_size(head, len(_EBML))
    at += size or 0
    if head[at : at + 4] != _SEGMENT:
        return 0
    size, at = _ebml_size(head, at + 4)
    return 0 if size is None else at + size - path.stat().st_size


def _ebml_size(data: bytes, at: int) -> tuple[int | None, int]:
    """The size that stands there, None if unknown, and where what it is of begins."""
    if at >= len(data) or not data[at]:
        return None, at
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 else value), at + length
