"""Files that are given for safetensors but are something else, recognised by their first bytes."""

import struct

_SAFETENSORS = "a .safetensors file is needed here."
_AGAIN = "download the file again."
# What starts with these bytes, and what to do about it.
_MAGIC = (
    (
        b"version https://git-lfs",
        f"a Git LFS pointer, not the weights themselves; run `git lfs pull`, or {_AGAIN}",
    ),
    (b"version ", f"a Git LFS pointer, not the weights themselves; run `git lfs pull`, or {_AGAIN}"),
    (b"PK\x03\x04", f"a ZIP archive; unpack it first: {_SAFETENSORS}"),
    (b"\x1f\x8b", f"a gzip archive; unpack it first: {_SAFETENSORS}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive; unpack it first: {_SAFETENSORS}"),
    (b"Rar!", f"a RAR archive; unpack it first: {_SAFETENSORS}"),
    (b"\x89HDF", f"an HDF5 file of Keras or MATLAB; {_SAFETENSORS}"),
    (b"\x93NUMPY", f"a NumPy array; {_SAFETENSORS}"),
    (b"PAR1", f"a Parquet table; {_SAFETENSORS}"),
    (b"\x89PNG", f"a PNG image; {_SAFETENSORS}"),
    (b"\xff\xd8\xff", f"a JPEG image; {_SAFETENSORS}"),
    (b"RIFF", f"a WebP, AVI or WAV file; {_SAFETENSORS}"),
    (b"%PDF", f"a PDF document; {_SAFETENSORS}"),
)
_PICKLE = (
    "a torch pickle (.pth, .pt, .ckpt), which can hold code as well as weights; take the .safetensors file of the "
    "same weights, or convert it."
)
_PROTOCOLS = range(2, 6)  # of pickle; torch writes 2
_STRING = 8  # GGUF's number for a value that is text
_MAX_NAME_BYTES = 64
_EXCERPT = 40


def describe_foreign(start: bytes) -> str:
    """What a file with these first bytes is and what takes it, to follow `FILE is`; empty if it may be safetensors.

    `start`: at least the first 100 bytes, if the file has as many.
    """
    if start.startswith(b"GGUF"):
        return (
            f"a GGUF file{_gguf_architecture(start)}, which ComfyUI takes through the nodes of ComfyUI-GGUF; "
            f"{_SAFETENSORS}"
        )
    if _is_pickle(start):
        return _PICKLE
    for magic, words in _MAGIC:
        if start.startswith(magic):
            return words
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<error")):
        return f"a web page, perhaps one that says why there is no download; log in where it is kept and {_AGAIN}"
    if b'"weight_map"' in text or text.startswith(b'{"metadata"'):
        return (
            "the list of a model's parts (.index.json), not the parts; give the .safetensors files it names."
        )
    return ""


def _is_pickle(start: bytes) -> bool:
    # torch names the first member of its ZIP archives `NAME/data.pkl` or, of a script, `NAME/...`.
    is_torch_archive = start.startswith(b"PK\x03\x04") and (
        b".pkl" in start[30:256] or b"archive/" in start[30:256] or not any(start[4:])
    )
    return is_torch_archive or (len(start) > 1 and start[0] == 0x80 and start[1] in _PROTOCOLS)


def describe_unknown(start: bytes) -> str:
    """What can be said of first bytes that are neither safetensors' nor a known format's, to end a sentence."""
    if not start:
        return f"it is empty; {_AGAIN}"
    if not any(start):
        return f"it starts with zeros, as a download does that was not finished; {_AGAIN}"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in start):
        excerpt = " ".join(start.decode("ascii").split())[:_EXCERPT]
        return f"it is a text that starts with '{excerpt}'; {_AGAIN}"
    return f"it starts with bytes that no weight file starts with; {_AGAIN}"


def _gguf_architecture(start: bytes) -> str:
    """`of the architecture NAME`, where the file says it first, as its writers do.

    Source: gguf's specification, version 3: magic, u32 version, u64 tensors, u64 pairs, then key, type, value.
    """
    key = b"general.architecture"
    at = 24 + 8 + len(key)
    if start[24:at] != struct.pack("<Q", len(key)) + key or len(start) < at + 12:
        return ""
    kind, length = struct.unpack_from("<IQ", start, at)
    name = start[at + 12 : at + 12 + min(length, _MAX_NAME_BYTES)]
    if kind != _STRING or not name.isalnum():
        return ""
    return f" of the architecture '{name.decode('ascii', 'replace')}'"
