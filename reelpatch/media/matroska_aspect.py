"""Writes into a finished Matroska file how wide its pixels are, which PyAV cannot tell FFmpeg's writer.

The first track is given a name as a place holder when it is made; the name's bytes then become those of the aspect, so that
nothing else in the file moves.
Source: RFC 9559 (Matroska), sections 5.1.4.1.28.14 (DisplayUnit) and 5.1.4; RFC 8794 (EBML).
"""

import zlib
from fractions import Fraction
from math import gcd
from pathlib import Path

PLACE_HOLDER = " " * 40
_HEAD_BYTES = 1 << 16  # within which FFmpeg writes the tracks
_SEGMENT, _TRACKS, _TRACK, _NAME = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae", b"\x53\x6e"
_VIDEO, _WIDTH, _HEIGHT, _UNIT = b"\xe0", b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_CRC, _VOID = b"\xbf", b"\xec"
_AS_ASPECT = 3  # the unit in which width and height are those of a shape, whatever its size
_Element = tuple[bytes, bytes]  # its name and what is in it


def write_aspect(path: Path, size: tuple[int, int], pixel_aspect: Fraction) -> None:
    """`size` is (height, width) in pixels; `pixel_aspect` is width over height of one of them."""
    with path.open("r+b") as file:
        head = file.read(_HEAD_BYTES)
        begin, end = _tracks(head)
        tracks = _with_aspect(head[begin:end], size, pixel_aspect)
        assert len(tracks) == end - begin
        file.seek(begin)
        file.write(tracks)


def _tracks(head: bytes) -> tuple[int, int]:
    """Where the content of the tracks begins and ends."""
    at = 0
    while True:
        name, begin, end = _next(head, at)
        if name == _TRACKS:
            return begin, end
        at = begin if name == _SEGMENT else end


def _with_aspect(tracks: bytes, size: tuple[int, int], pixel_aspect: Fraction) -> bytes:
    entries = [one for one in _elements(tracks) if one[0] != _CRC]
    first = next(index for index, (name, _) in enumerate(entries) if name == _TRACK)
    track = [one for one in _elements(entries[first][1]) if one[0] != _NAME]
    video = next(index for index, (name, _) in enumerate(track) if name == _VIDEO)
    inside = [one for one in _elements(track[video][1]) if one[0] not in {_WIDTH, _HEIGHT, _UNIT, _VOID}]
    track[video] = (_VIDEO, _joined([*inside, *_shape(size, pixel_aspect)]))
    entries[first] = (_TRACK, _joined(track))
    has_sum = tracks[:1] == _CRC
    room = len(tracks) - len(_joined(entries)) - 6 * has_sum  # of which a checksum takes 6
    entries.append((_VOID, bytes(room - 2)))
    content = _joined(entries)
    return _joined([(_CRC, zlib.crc32(content).to_bytes(4, "little"))]) + content if has_sum else content


def _shape(size: tuple[int, int], pixel_aspect: Fraction) -> list[_Element]:
    height, width = size[0] * pixel_aspect.denominator, size[1] * pixel_aspect.numerator
    common = gcd(width, height)
    numbers = ((_WIDTH, width // common), (_HEIGHT, height // common), (_UNIT, _AS_ASPECT))
    return [(name, number.to_bytes((number.bit_length() + 7) // 8, "big")) for name, number in numbers]


def _elements(data: bytes) -> list[_Element]:
    found, at = [], 0
    while at < len(data):
        name, begin, end = _next(data, at)
        found.append((name, data[begin:end]))
        at = end
    return found


def _next(data: bytes, at: int) -> tuple[bytes, int, int]:
    """The name of the element at `at`, and where its content begins and ends."""
    begin = at + 9 - data[at].bit_length()
    length = 9 - data[begin].bit_length()
    size = int.from_bytes(data[begin : begin + length], "big") & ((1 << 7 * length) - 1)
    return data[at:begin], begin + length, begin + length + size


def _joined(elements: list[_Element]) -> bytes:
    return b"".join(name + _size(len(content)) + content for name, content in elements)


def _size(number: int) -> bytes:
    length = 1
    while number >= (1 << 7 * length) - 1:
        length += 1
    return (number | 1 << 7 * length).to_bytes(length, "big")
