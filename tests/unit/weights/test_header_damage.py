"""What is no safetensors file, and headers that are damaged or made to harm, are refused in a sentence each."""

import json
import os
import pickle
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reelpatch.errors import BadInput
from reelpatch.families.tensor_info import TensorInfo
from reelpatch.weights.header import identify
from reelpatch.weights.safetensors_header import read_header

MIB = 2**20


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as error:
        identify(path)
    sentence = str(error.value)
    assert sentence.startswith((f"{path} ", f"The header of {path} ", f"The weight file {path} "))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 400
    return sentence


def with_header(path: Path, text: str | bytes, data: bytes = b"") -> Path:
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content + data)
    return path


def entry(dtype: object = "F32", shape: object = (1,), offsets: object = (0, 4)) -> str:
    return json.dumps({"dtype": dtype, "shape": shape, "data_offsets": offsets})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.safetensors"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\0" * 64, "starts with zeros"),
        (b"\xff" * 64, "not a safetensors file"),
        (b"\x04\0\0\0\0\0\0\0oops", "not a safetensors file"),
        (b"\x02\0\0\0\0\0\0\0[]", "not a safetensors file"),
        (b"Entry not found", "a text that starts with 'Entry not found'"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf\n <html lang='en'>", "web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b'{"metadata": {"total_size": 1}, "weight_map": {}}', ".index.json"),
        (b"GGUF\x03\0\0\0" + b"\0" * 60, "a GGUF file, which ComfyUI takes through the nodes of ComfyUI-GGUF"),
        (
            b"GGUF\x03\0\0\0" + b"\1" * 16 + b"\x14\0\0\0\0\0\0\0general.architecture\x08\0\0\0\3\0\0\0\0\0\0\0wan",
            "GGUF file of the architecture 'wan'",
        ),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
    ],
)  # fmt: skip
def test_another_format_is_named(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    assert words in refused(path)


def test_pickles_and_archives_are_told_apart(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}, protocol=2))
    assert "torch pickle" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    assert "can hold code" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "weights.safetensors is inside")
    assert "ZIP archive; unpack it first" in refused(path)


@pytest.mark.parametrize("length", [0x0280, 0x0480, 0x8B1F])
def test_a_length_that_looks_like_another_format_is_one(path: Path, length: int) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).ljust(length)
    tensors, _ = read_header(with_header(path, header, b"\0" * 4))
    assert tensors == {"a": TensorInfo("F32", (1,), 4)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "quoted text is missing"),
        ('{"a"', "':' is missing"),
        ('{"a": null}', "has no dtype"),
        ('{"a": 1}', "has no dtype"),
        ('{"a": {}}', "exactly one dtype"),
        (f'{{"a": {entry()} "b": {entry()}}}', "',' is missing"),
        (f'{{"a": {entry()}, "a": {entry()}}}', "the key a is there twice"),
        (f'{{"a": {entry()}}} "b"', "more after its end"),
        ('{"a": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', "exactly one dtype"),
        ('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "more": 1}}', "exactly one dtype"),
        (f'{{"a": {entry("F7")}}}', "unknown dtype F7"),
        (f'{{"a": {entry(["F32"])}}}', "unknown dtype"),
        (f'{{"a": {entry(shape=[-1])}}}', "no list of sizes"),
        (f'{{"a": {entry(shape=[1.0])}}}', "no list of sizes"),
        (f'{{"a": {entry(shape=[True])}}}', "no list of sizes"),
        (f'{{"a": {entry(shape=[2**63])}}}', "no list of sizes"),
        (f'{{"a": {entry(shape=5)}}}', "no list of sizes"),
        (f'{{"a": {entry(shape=[2**62, 2**62])}}}', "which is not"),
        (f'{{"a": {entry(shape=[2])}}}', "4 bytes, which is not 2 numbers of F32"),
        (f'{{"a": {entry(offsets=[4, 0])}}}', "offsets of a are reversed"),
        (f'{{"a": {entry(offsets=[0])}}}', "no two numbers"),
        (f'{{"a": {entry(offsets=[0, 1e400])}}}', "no two numbers"),
        (f'{{"a": {entry()}, "b": {entry()}}}', "b overlaps another tensor"),
        (f'{{"a": {entry()}, "b": {entry(offsets=[8, 12])}}}', "b leaves a gap of 4 bytes"),
        ('{"a": {"dtype": "F32", "shape": ' + "[" * 400 + "]" * 400 + ', "data_offsets": [0, 4]}}', "no list of sizes"),
        ('{"a": {"dtype": "F32", "shape": [' + "9" * 900 + '], "data_offsets": [0, 4]}}', "no list of sizes"),
        ('{"a": {"dtype": "F32", "shape": [' + "1," * 900 + '1], "data_offsets": [0, 4]}}', "of a has no end"),
        ('{"__metadata__": {"a": 1}}', "quoted text is missing"),
        ('{"__metadata__": {"a": "1", "a": "2"}}', "metadata a is there twice"),
        ('{"__metadata__": {}, "__metadata__": {}}', "two blocks of metadata"),
        ('{"__metadata__": null}', "'{' is missing"),
        ('{"a\nb": 1}', "no JSON string"),
        (b'{"\xff": 1}', "it is no text"),
        ('{"' + "a" * 501 + '": 1}', "has 501 characters"),
    ],
)  # fmt: skip
def test_a_damaged_header_is_refused(path: Path, text: str | bytes, words: str) -> None:
    assert words in refused(with_header(path, text, b"\0" * 8))


def test_sizes_that_disagree_are_refused(path: Path) -> None:
    text = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    assert "cut short" in refused(with_header(path, text, b"\0" * 3))
    assert "accounts for" in refused(with_header(path, text, b"\0" * 5))
    path.write_bytes((1000).to_bytes(8, "little") + b"{}")
    assert "ends within its own header" in refused(path)
    for length in (0, 17 * MIB, 2**40, 2**63, 2**64 - 1):
        path.write_bytes(length.to_bytes(8, "little") + b'{"a":1}')
        assert f"its header has {length} bytes" in refused(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "x.safetensors")
    assert "null" in refused(tmp_path / "x\0.safetensors")
    with pytest.raises(BadInput, match="is a folder"):
        identify(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is not a file" in refused(pipe)


def test_an_empty_header_and_padding_are_fine(path: Path) -> None:
    assert read_header(with_header(path, "{}")) == ({}, {})
    assert read_header(with_header(path, '{"__metadata__":{"who":"me"}}   ')) == ({}, {"who": "me"})


def _many_tensors() -> bytes:
    entries = (b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(60_000))
    return b"{" + b",".join(entries) + b"}"


SIZE = 16 * MIB
BOMBS: dict[str, Callable[[], bytes]] = {
    "nesting": lambda: b'{"a":' + b"[" * (SIZE - 5),
    "nested objects": lambda: b'{"a":' * (SIZE // 5),
    "tensors": _many_tensors,
    "metadata": lambda: b'{"__metadata__":{' + b",".join(b'"%d":""' % i for i in range(100_000)) + b"}}",
    "one long text": lambda: (
        b'{"__metadata__":{"a":"\xf0\x9f\x98\x80' + b"\\u0041" * (SIZE // 6 - 10) + b'"}}'
    ),
    "spaces": lambda: b'{"a":' + b" " * (SIZE - 5),
    "number": lambda: b'{"a":{"dtype":"F32","shape":[' + b"9" * (SIZE - 60) + b"]}}",
    "key": lambda: b'{"' + b"a" * (SIZE - 10) + b'":1}',
}


def processor_time(work: Callable[[], object]) -> float:
    start_s = time.process_time()
    work()
    return time.process_time() - start_s


@pytest.fixture(scope="module")
def ordinary_s() -> float:
    """What Python's own JSON takes for 60,000 tensors, in this run on this machine."""
    ordinary = _many_tensors()
    return processor_time(lambda: json.loads(ordinary))


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_little(path: Path, bomb: str, ordinary_s: float) -> None:
    """At most ten times what Python's own JSON takes for 60,000 tensors; three are the most seen, by those tensors."""
    with_header(path, BOMBS[bomb]())

    def open_it() -> None:
        if bomb == "one long text":  # large, but as it should be
            assert identify(path).metadata
        else:
            refused(path)

    # The least of up to three tries, so that what else the machine does is not in it.
    assert any(processor_time(open_it) <= 10 * ordinary_s for _ in range(3))
    tracemalloc.start()
    try:
        open_it()
        assert tracemalloc.get_traced_memory()[1] < 200 * MIB
    finally:
        tracemalloc.stop()
