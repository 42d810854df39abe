"""Mutated headers and files: told rightly, told with a warning, or refused in a sentence; with little work, and never a
crash.

`REELPATCH_FUZZ_EXAMPLES=200000` runs as many mutants instead of the few of every test run. A failure names the seed;
the same seed makes the same mutant.
"""

import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reelpatch.errors import BadInput
from reelpatch.weights.header import Kind, KnownFile, identify
from reelpatch.weights.lora_keys import bare_layer, read_key
from reelpatch.weights.oddities import oddities
from tests.fuzz.mutants import BYTEWISE, ORIGINALS, STRUCTURED, as_bytes, num_data_bytes
from tests.unit.weights.fixtures.files import Header

NUM_EXAMPLES = int(os.environ.get("REELPATCH_FUZZ_EXAMPLES", "300"))
MAX_BYTES = 200 * 2**20
# Calls and returns: of these 4 for each byte are the most seen; what goes round and round is stopped by it.
MAX_CALLS_A_BYTE, MIN_CALLS = 40, 100_000
# Any vocabulary makes a good encoder, so its size alone says nothing.
FREE = frozenset({"token_embedding.weight"})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "x.safetensors"


def write(path: Path, content: bytes, num_more_bytes: int) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + num_more_bytes)


@contextmanager
def little_work(num_bytes: int) -> Iterator[None]:
    """Fail as soon as more is called than a header of this size can need."""
    left = max(MIN_CALLS, MAX_CALLS_A_BYTE * num_bytes)

    def count(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal left
        left -= 1
        assert left > 0, "too much work for this header"

    before: Callable[..., object] | None = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


def tell(path: Path, num_bytes: int) -> KnownFile | None:
    """What the file with a header of so many bytes is; None where it was refused as it should be."""
    try:
        with little_work(num_bytes):
            file = identify(path)
            oddities(file)
    except BadInput as error:
        sentence = str(error)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        file = None
    return file


def is_unknown(file: KnownFile | None) -> bool:
    """Whether it was refused, or is of no kind that is known, as `{}` is, which is a legal file."""
    return file is None or file.kind is Kind.UNKNOWN


def names_and_shapes(file: KnownFile) -> dict[str, tuple[int, ...]]:
    return {
        meant(name): info.shape
        for name, info in ((name, file.tensors[key]) for name, key in file.keys.items())
        if name not in FREE
    }


def meant(name: str) -> str:
    """The name, or that of the layer and its part that a LoRA's key means, which can be spelled in many ways."""
    read = read_key(name)
    return name if read is None else f"{bare_layer(read.layer)}.lora_{read.part}{read.method}"


def is_as_good(file: KnownFile, original: KnownFile) -> bool:
    """The same tensors; a LoRA may also be without some layers, but not without half of one."""
    ours, theirs = names_and_shapes(file), names_and_shapes(original)
    if file.kind is not Kind.LORA or not ours.items() < theirs.items():
        return ours == theirs
    layers = {name.partition(".lora_")[0] for name in theirs.keys() - ours.keys()}
    return layers.isdisjoint(name.partition(".lora_")[0] for name in ours)


def check(file: KnownFile, original: KnownFile) -> None:
    """Whoever is told something else than the original, or the same of other tensors, is warned."""
    is_changed = file.kind is not original.kind or not is_as_good(file, original)
    is_warned = bool(oddities(file)) or file.kind in {Kind.UNKNOWN, Kind.PART}
    if file.kind is Kind.LORA:  # of other ranks, which its description says
        is_warned = is_warned or file.words != original.words
    assert is_warned or not is_changed, (file.words, original.words)


@pytest.fixture(scope="module")
def told(path: Path) -> dict[str, KnownFile]:
    files: dict[str, KnownFile] = {}
    for name, header in ORIGINALS.items():
        write(path, as_bytes(header), num_data_bytes(header))
        files[name] = identify(path)
        assert oddities(files[name]) == (), name
    return files


def mutate(random: Random, header: Header) -> tuple[bytes, int]:
    """A file's start, and how many bytes follow it."""
    mutant = dict(header)
    num_more_bytes = num_data_bytes(header)
    if random.random() < 0.5:
        for _ in range(random.choice((1, 1, 2, 3))):
            random.choice(STRUCTURED)(random, mutant)
        return as_bytes(mutant), num_data_bytes(mutant)
    content = random.choice(BYTEWISE)(random, as_bytes(mutant))
    return content, max(0, num_more_bytes + random.choice((0, 0, 0, 0, 1, -1, -num_more_bytes)))


@settings(
    max_examples=NUM_EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**64 - 1))
@example(seed=6104)  # scales whose marker is gone
@example(seed=17414)  # a LoRA without one of its layers
@example(seed=246791)  # an embedding without channels
@example(seed=406563)  # a LoRA with one pair of another rank
@example(seed=97268)  # an image-to-video model of 35 channels
@example(seed=174017)  # a LoRA whose pair has a dimension too many
@example(seed=37_644_984_991_282)  # a LoRA whose pair is spelled in two ways
@example(seed=1559)  # a Wan VAE with a latent that is no latent
def test_mutants(path: Path, told: dict[str, KnownFile], seed: int) -> None:
    random = Random(seed)
    name = random.choice(list(ORIGINALS))
    content, num_more_bytes = mutate(random, ORIGINALS[name])
    write(path, content, num_more_bytes)
    if file := tell(path, len(content)):
        check(file, told[name])


def test_mutants_take_little_memory(path: Path) -> None:
    tracemalloc.start()
    try:
        for seed in range(20):
            random = Random(seed)
            content, num_more_bytes = mutate(random, ORIGINALS[random.choice(list(ORIGINALS))])
            write(path, content, num_more_bytes)
            tell(path, len(content))
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


@settings(
    max_examples=NUM_EXAMPLES // 3,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=300), num_more_bytes=st.sampled_from((0, 8, 10**9)))
def test_any_bytes(path: Path, content: bytes, num_more_bytes: int) -> None:
    write(path, content, num_more_bytes)
    assert is_unknown(tell(path, len(content)))
    if content:  # as if it were a header of right length
        write(path, len(content).to_bytes(8, "little") + content, num_more_bytes)
        assert is_unknown(tell(path, len(content)))
