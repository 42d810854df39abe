"""Reads the header of a safetensors file and trusts nothing in it: the file may be damaged or made to harm.

Everything is bounded before it is read: the header's bytes, the number of tensors, the bytes of an entry. So no
file takes more than 150 MB or a second, whatever its header says.
Source of the format and of what is refused: the safetensors library, `safetensors/src/tensor.rs`.
"""

import json
import re
import stat
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from reelpatch.errors import BadInput
from reelpatch.families.tensor_info import TensorInfo
from reelpatch.weights.foreign_formats import describe_foreign, describe_unknown

_LENGTH_BYTES = 8
# The library takes 100 MB, for which Python needs gigabytes. The largest that serve are those with a tokenizer in
# their metadata, of about 10 MB; the header of a 14B model has 0.2 MB.
_MAX_HEADER_BYTES = 16 * 2**20
_MAX_TENSORS = 50_000  # the largest models have 5,000
_MAX_METADATA_ENTRIES = 10_000
_MAX_ENTRY_CHARACTERS = 1_000  # dtype, shape and offsets of one tensor; usual are 80
_MAX_KEY_CHARACTERS = 500
_MAX_SIZE = 2**63 - 1
_START_BYTES = 512  # enough to recognise what is not safetensors
_METADATA = "__metadata__"
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
_SPACE = re.compile(r"[ \t\r\n]+")
_DECODER = json.JSONDecoder()


def read_header(path: Path) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """The tensors, in the file's order, and the metadata of a safetensors file.

    Raises: `BadInput` for a missing, foreign or damaged file, and for one whose size is not what its header says.
    Cost: the header is read, no tensor.
    """
    text, data_start, num_file_bytes = _read_text(path)
    try:
        entries, metadata = _Header(text).read()
        tensors = {key: _tensor(key, entry) for key, entry in entries.items()}
        num_data_bytes = _check_layout(entries)
    except _Damage as damage:
        raise BadInput(f"The header of {path} is damaged ({damage}); download the file again.") from None
    num_bytes = data_start + num_data_bytes
    if num_file_bytes < num_bytes:
        raise BadInput(
            f"{path} is cut short: it has {num_file_bytes} bytes of {num_bytes}; download the file again."
        )
    if num_file_bytes > num_bytes:
        raise BadInput(
            f"{path} is damaged: it has {num_file_bytes} bytes but its header accounts for {num_bytes}; "
            "download the file again."
        )
    return tensors, metadata


def _read_text(path: Path) -> tuple[str, int, int]:
    """The header as text, where the tensors start, and the bytes of the file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, for ever
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a file"
            raise BadInput(f"{path} is {kind}; give the path of a weight file.")
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
            num_header_bytes = int.from_bytes(start[:_LENGTH_BYTES], "little")
            _refuse_other_formats(path, start, num_header_bytes)
            file.seek(_LENGTH_BYTES)
            content = file.read(num_header_bytes)
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        if isinstance(error, BadInput):
            raise
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"The weight file {path} can't be read ({reason}); check the path.") from error
    if len(content) < num_header_bytes:
        raise BadInput(
            f"{path} ends within its own header ({status.st_size} bytes); download the file again."
        )
    try:
        return content.decode(), _LENGTH_BYTES + num_header_bytes, status.st_size
    except UnicodeDecodeError:
        raise BadInput(f"The header of {path} is damaged (it is no text); download the file again.") from None


def _refuse_other_formats(path: Path, start: bytes, num_header_bytes: int) -> None:
    is_object = start[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{"
    # First, because the bytes of a length can be those that another format starts with: 640 is a pickle's 80 02.
    if is_object and 0 < num_header_bytes <= _MAX_HEADER_BYTES:
        return
    if foreign := describe_foreign(start):
        raise BadInput(f"{path} is {foreign}")
    if not is_object:
        raise BadInput(f"{path} is not a safetensors file: {describe_unknown(start)}")
    raise BadInput(
        f"{path} says that its header has {num_header_bytes} bytes, where 2 to {_MAX_HEADER_BYTES} are read; "
        "download the file again."
    )


class _Damage(Exception):
    """What is wrong with a header, in a clause."""


class _Header:
    """Reads the text of a header from left to right; only the shape that the format has is understood."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        entries: dict[str, dict[str, Any]] = {}
        metadata: dict[str, str] | None = None
        for key in self._keys():
            if len(key) > _MAX_KEY_CHARACTERS:
                self._fail(f"the key {shown(key)} has {len(key)} characters")
            if key == _METADATA:
                if metadata is not None:
                    self._fail("it has two blocks of metadata")
                metadata = self._metadata()
            elif key in entries:
                self._fail(f"the key {shown(key)} is there twice")
            elif len(entries) == _MAX_TENSORS:
                self._fail(f"it lists more than {_MAX_TENSORS} tensors")
            else:
                entries[key] = self._entry(key)
        if self._text[self._at :].strip(" \0\n"):  # writers pad with spaces
            self._fail(f"there is more after its end at character {self._at}")
        return entries, metadata or {}

    def _keys(self) -> Iterator[str]:
        """The keys of the object that starts here; whoever asks for the next one has read the value of the last."""
        self._take("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            key = self._string()
            self._take(":")
            yield key
            if self._next() == "}":
                self._at += 1
                return
            self._take(",")

    def _metadata(self) -> dict[str, str]:
        metadata: dict[str, str] = {}
        for key in self._keys():
            if key in metadata:
                self._fail(f"the metadata {shown(key)} is there twice")
            if len(metadata) == _MAX_METADATA_ENTRIES:
                self._fail(f"it has more than {_MAX_METADATA_ENTRIES} entries of metadata")
            metadata[key] = self._string()
        return metadata

    def _entry(self, key: str) -> dict[str, Any]:
        if self._next() != "{":
            self._fail(f"{shown(key)} has no dtype, shape and offsets")
        end = self._text.find("}", self._at, self._at + _MAX_ENTRY_CHARACTERS) + 1
        if not end:
            self._fail(f"the entry of {shown(key)} has no end")
        try:
            pairs: Any = json.loads(self._text[self._at : end], object_pairs_hook=tuple)
        except (ValueError, RecursionError):
            self._fail(f"the entry of {shown(key)} is no JSON")
        self._at = end
        entry = dict(pairs)
        if len(pairs) != len(_FIELDS) or entry.keys() != _FIELDS:
            self._fail(f"{shown(key)} has not exactly one dtype, shape and data_offsets")
        return entry

    def _string(self) -> str:
        if self._next() != '"':
            self._fail(f"a quoted text is missing at character {self._at}")
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except ValueError:
            self._fail(f"the text that starts at character {self._at} is no JSON string")
        return value

    def _next(self) -> str:
        """The next character that is not white space; empty at the end."""
        if space := _SPACE.match(self._text, self._at):
            self._at = space.end()
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> None:
        if self._next() != character:
            self._fail(f"'{character}' is missing at character {self._at}")
        self._at += 1

    def _fail(self, clause: str) -> NoReturn:
        raise _Damage(clause)


def _tensor(key: str, entry: Mapping[str, Any]) -> TensorInfo:
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    bits = _BITS.get(dtype) if isinstance(dtype, str) else None
    if bits is None:
        raise _Damage(f"{shown(key)} has the unknown dtype {shown(str(dtype))}")
    if not _are_sizes(shape):
        raise _Damage(f"the shape of {shown(key)} is no list of sizes")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Damage(f"the offsets of {shown(key)} are reversed or no two numbers")
    num_bytes = offsets[1] - offsets[0]
    if prod(shape) * bits != num_bytes * 8:
        size = "x".join(map(str, shape)) or "1"
        raise _Damage(f"{shown(key)} has {num_bytes} bytes, which is not {shown(size)} numbers of {dtype}")
    return TensorInfo(dtype, tuple(shape), num_bytes)


def _are_sizes(numbers: Any) -> bool:
    # `type`, because True is an int too.
    return isinstance(numbers, list) and all(
        type(number) is int and 0 <= number <= _MAX_SIZE for number in numbers
    )


def _check_layout(entries: Mapping[str, Mapping[str, Any]]) -> int:
    """The end of the last tensor; each starts where the one before it ends."""
    end = 0
    for (begin, stop), key in sorted((tuple(entry["data_offsets"]), key) for key, entry in entries.items()):
        if begin != end:
            what = (
                "overlaps another tensor" if begin < end else f"leaves a gap of {begin - end} bytes before it"
            )
            raise _Damage(f"{shown(key)} {what}")
        end = stop
    return end


def shown(key: str, limit: int = 80) -> str:
    """A key as it can stand within a sentence: no control characters, and not longer than a line."""
    return json.dumps(key if len(key) <= limit else f"{key[:limit]}...")[1:-1]
