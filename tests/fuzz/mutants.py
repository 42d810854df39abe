"""Small headers of every kind that is loaded, and what can happen to them on disk and on the way."""

import json
from collections.abc import Callable
from math import prod
from random import Random

from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import BYTES, Header, kijai, lora, plain, scaled

LINEAR = (*"qkvo", "ffn.0", "ffn.2")


def _originals() -> dict[str, Header]:
    # Of no published width, so that the number of blocks is not odd by itself.
    backbone, module = models.backbone(256, 320, 2, 16), models.vace(256, 320, 2)
    umt5 = {
        key: shape
        for key, shape in models.umt5_xxl().items()
        if key.split(".")[1] in {"0", "1"} or not key.startswith("blocks.")
    }
    return {
        "backbone": plain(backbone, "BF16"),
        "scaled backbone": scaled(kijai(backbone, "F8_E4M3")),
        "vace": plain(backbone | module, "F16"),
        "module": plain(module, "BF16"),
        "image": plain(models.backbone(256, 320, 2, 36, image=True), "F16"),
        "lora": lora(backbone, 8, "BF16", layers=LINEAR),
        "vace lora": lora(
            module, 8, "BF16", layers=LINEAR, prefix="", halves=("lora_A.weight", "lora_B.weight")
        ),
        "vae": plain(models.vae_2_1(8), "BF16"),
        "umt5": plain(umt5, "BF16"),
    }


ORIGINALS = _originals()


def as_bytes(header: Header) -> bytes:
    """The header as a file starts with it; what follows is zeros up to `num_data_bytes`."""
    entries: dict[str, object] = {}
    end = 0
    for key, (dtype, shape) in header.items():
        begin, end = end, end + prod(shape) * BYTES[dtype]
        entries[key] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text


def num_data_bytes(header: Header) -> int:
    return sum(prod(shape) * BYTES[dtype] for dtype, shape in header.values())


def _drop(random: Random, header: Header) -> None:
    del header[random.choice(list(header))]


def _rename(random: Random, header: Header) -> None:
    key = random.choice(list(header))
    at = random.randrange(len(key))
    header[key[:at] + random.choice("xZ9_") + key[at + 1 :]] = header.pop(key)


def _reshape(random: Random, header: Header) -> None:
    key = random.choice([key for key, (_, shape) in header.items() if prod(shape) > 1])
    dtype, shape = header[key]
    sizes = [*shape]
    sizes[random.randrange(len(sizes))] += random.choice((1, -1))
    header[key] = dtype, random.choice((tuple(sizes), tuple(sizes), (*shape, 1), (prod(shape) + 1,)))


def _retype(random: Random, header: Header) -> None:
    key = random.choice(list(header))
    header[key] = random.choice(list(BYTES)), header[key][1]


def _add(random: Random, header: Header) -> None:
    key = random.choice(list(header))
    header[random.choice(("more.weight", f"model.{key}", f"{key}.lora_A.weight", "blocks.77.modulation"))] = (
        header[key]
    )


# Each changes what the file is; the last but one alone leaves names and shapes as they are.
STRUCTURED: tuple[Callable[[Random, Header], None], ...] = (_drop, _rename, _reshape, _retype, _add)


def flip(random: Random, content: bytes) -> bytes:
    """A few bytes changed, anywhere in the header or its length."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def cut(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content))]


def splice(random: Random, content: bytes) -> bytes:
    """A stretch repeated, lost, or put elsewhere, the length as it was or put right."""
    a, b = sorted(random.randrange(8, len(content)) for _ in range(2))
    to = random.randrange(8, len(content))
    piece = random.choice((content[a:b], b"", b"{" * 50, b"[" * 2000, b"9" * 400, b'"', b"\xff\xfe"))
    changed = content[:to] + piece + content[random.choice((to, a, b)) :]
    return (len(changed) - 8).to_bytes(8, "little") + changed[8:] if random.random() < 0.7 else changed


BYTEWISE: tuple[Callable[[Random, bytes], bytes], ...] = (flip, cut, splice)
