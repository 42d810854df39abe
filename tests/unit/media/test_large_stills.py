"""A picture with far more pixels, or far more text, than can be meant is one sentence before it is decoded."""

import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.media.mask_pictures import mask_pictures
from reelpatch.media.stills import MAX_PIXELS, read_still
from reelpatch.media.video_io import folder_frames


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, side: int, *before: bytes, after: bytes = b"") -> Path:
    """A gray PNG of that many pixels a side with only its first rows, and other chunks around them."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side + 1) * min(side, 64)))
    body = b"".join(before) + chunk(b"IDAT", rows) + after + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body)
    return path


def still(path: Path) -> object:
    return read_still(path)


def mask(path: Path) -> object:
    return next(mask_pictures(path, (64, 64)))


def frame(path: Path) -> object:
    return next(folder_frames(path.parent))


def refused(read: Callable[[Path], object], path: Path) -> str:
    """The sentence, said without a warning and without the memory that the pixels would take."""
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadInput) as error:
            read(path)
    assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("read", [still, mask, frame])
@pytest.mark.parametrize("side", [10_500, 13_000, 60_000])
def test_too_many_pixels(read: Callable[[Path], object], side: int, tmp_path: Path) -> None:
    message = refused(read, png(tmp_path / "0001.png", side))
    assert f"no more than {MAX_PIXELS // 10**6} million pixels are read" in message


def test_a_bomb_in_a_folder_of_masks(tmp_path: Path) -> None:
    png(tmp_path / "a.png", 13_000)
    with pytest.raises(BadInput, match=r"the mask .*million pixels are read"):
        next(mask_pictures(tmp_path, (64, 64)))


@pytest.mark.parametrize("read", [still, mask, frame])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_text_that_inflates(read: Callable[[Path], object], kind: bytes, place: str, tmp_path: Path) -> None:
    keyword = b"Comment\0\0" if kind == b"zTXt" else b"Comment\0\1\0\0\0"
    bomb = chunk(kind, keyword + zlib.compress(bytes(2**23)))
    path = tmp_path / "0001.png"
    path = png(path, 64, bomb) if place == "before" else png(path, 64, after=bomb)
    assert "cannot be read" in refused(read, path)


def test_the_largest_that_is_read_is_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("L", (7680, 4320)).save(path)
    assert np.shape(read_still(path)) == (4320, 7680, 3)
