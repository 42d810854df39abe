"""Which tensors each kind of Wan file has, and how their shapes hang together, as data.

A shape is written in letters and numbers: `D` is one size for the whole file, `6D` six times that. `#` stands for a
block number. Source: the state dicts of Wan2.1, Wan2.2 and ali-vilab/VACE; transformers' UMT5.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from reelpatch.families.tensor_info import TensorInfo

Shape = tuple[int, ...]
Rows = dict[str, str]

_BLOCK_NUMBER = re.compile(r"(?<=blocks\.)\d{1,3}(?=\.)")
_TERM = re.compile(r"(\d*)([A-Z]?)")


def _linear(name: str, out: str, inside: str) -> Rows:
    return {f"{name}.weight": f"{out} {inside}", f"{name}.bias": out}


def _attention(name: str, layers: str, norms: Iterable[str]) -> Rows:
    rows: Rows = {}
    for layer in layers.split():
        rows |= _linear(f"{name}.{layer}", "D", "D")
    return rows | {f"{name}.{norm}.weight": "D" for norm in norms}


def _blocks(stack: str) -> Rows:
    rows: Rows = {f"{stack}.#.modulation": "1 6 D"}
    for attention in ("self_attn", "cross_attn"):
        rows |= _attention(f"{stack}.#.{attention}", "q k v o", ("norm_q", "norm_k"))
    rows |= {f"{stack}.#.norm3.weight": "D", f"{stack}.#.norm3.bias": "D"}
    return rows | _linear(f"{stack}.#.ffn.0", "F", "D") | _linear(f"{stack}.#.ffn.2", "D", "F")


BACKBONE: Rows = {
    "patch_embedding.weight": "D I 1 2 2",  # first, because the widths are read from it
    "patch_embedding.bias": "D",
    **_linear("text_embedding.0", "D", "T"),
    **_linear("text_embedding.2", "D", "D"),
    **_linear("time_embedding.0", "D", "Q"),
    **_linear("time_embedding.2", "D", "D"),
    **_linear("time_projection.1", "6D", "D"),
    **_blocks("blocks"),
    **_linear("head.head", "4O", "D"),
    "head.modulation": "1 2 D",
}
VACE: Rows = {
    "vace_patch_embedding.weight": "D V 1 2 2",
    "vace_patch_embedding.bias": "D",
    **_linear("vace_blocks.0.before_proj", "D", "D"),
    **_blocks("vace_blocks"),
    **_linear("vace_blocks.#.after_proj", "D", "D"),
}
IMAGE: Rows = {
    **_attention("blocks.#.cross_attn", "k_img v_img", ("norm_k_img",)),
    "img_emb.proj.0.weight": "P",
    "img_emb.proj.0.bias": "P",
    **_linear("img_emb.proj.1", "P", "P"),
    **_linear("img_emb.proj.3", "D", "P"),
    "img_emb.proj.4.weight": "D",
    "img_emb.proj.4.bias": "D",
}
FIRST_AND_LAST: Rows = {"img_emb.emb_pos": "1 E P"}
ADAPTER_PARTS = ("source", "mask", "reference")
"""What an edit adapter embeds, each by a layer of its own."""
ADAPTER: Rows = {
    row: shape
    for part in ADAPTER_PARTS
    for row, shape in (
        (f"{part}_embedding.weight", "D C 1 2 2"),
        (f"{part}_embedding.bias", "D"),
    )
}
UMT5: Rows = {
    "token_embedding.weight": "V D",
    "norm.weight": "D",
    "blocks.#.norm1.weight": "D",
    **{f"blocks.#.attn.{layer}.weight": "A D" for layer in "qkv"},
    "blocks.#.attn.o.weight": "D A",
    "blocks.#.pos_embedding.embedding.weight": "B H",
    "blocks.#.norm2.weight": "D",
    "blocks.#.ffn.gate.0.weight": "F D",
    "blocks.#.ffn.fc1.weight": "F D",
    "blocks.#.ffn.fc2.weight": "D F",
}


def _convolution(name: str, out: str, inside: str, kernel: str) -> Rows:
    return {f"{name}.weight": f"{out} {inside} {kernel}", f"{name}.bias": out}


def _residual(name: str, inside: str, out: str) -> Rows:
    rows = {f"{name}.residual.0.gamma": f"{inside} 1 1 1"}
    rows |= _convolution(f"{name}.residual.2", out, inside, "3 3 3")
    rows |= {f"{name}.residual.3.gamma": f"{out} 1 1 1"}
    rows |= _convolution(f"{name}.residual.6", out, out, "3 3 3")
    return rows | (_convolution(f"{name}.shortcut", out, inside, "1 1 1") if inside != out else {})


def _half(name: str, outer: tuple[str, str], inner: str, head: tuple[str, str]) -> Rows:
    """The layers that encoder and decoder both have: in, the middle, out."""
    rows = _convolution(f"{name}.conv1", *outer, "3 3 3")
    rows |= _residual(f"{name}.middle.0", inner, inner) | _residual(f"{name}.middle.2", inner, inner)
    rows |= {f"{name}.middle.1.norm.gamma": f"{inner} 1 1"}
    rows |= _convolution(f"{name}.middle.1.to_qkv", f"{3 * int(inner[:-1])}{inner[-1]}", inner, "1 1")
    rows |= _convolution(f"{name}.middle.1.proj", inner, inner, "1 1")
    out, inside = head
    return (
        rows
        | {f"{name}.head.0.gamma": f"{inside} 1 1 1"}
        | _convolution(f"{name}.head.2", out, inside, "3 3 3")
    )


def _resample(name: str, inside: str, out: str, time: tuple[str, str] | None) -> Rows:
    rows = _convolution(f"{name}.resample.1", out, inside, "3 3")
    return rows | (_convolution(f"{name}.time_conv", *time, "3 1 1") if time else {})


def _vae21() -> Rows:
    """Base widths C of the encoder and G of the decoder, in four levels of 1, 2, 4 and 4 times that; Z latents."""
    rows = _convolution("conv1", "2Z", "2Z", "1 1 1") | _convolution("conv2", "Z", "Z", "1 1 1")
    rows |= _half("encoder", ("1C", "3"), "4C", ("2Z", "4C")) | _half(
        "decoder", ("4G", "Z"), "4G", ("3", "1G")
    )
    down, up = "encoder.downsamples", "decoder.upsamples"
    for at, (inside, out) in enumerate((("1C", "1C"), ("1C", "2C"), ("2C", "4C"), ("4C", "4C"))):
        rows |= _residual(f"{down}.{3 * at}", inside, out) | _residual(f"{down}.{3 * at + 1}", out, out)
        if at < 3:
            rows |= _resample(f"{down}.{3 * at + 2}", out, out, (out, out) if at else None)
    for at, (inside, out, time) in enumerate(
        (("4G", "4G", ("8G", "4G")), ("2G", "4G", ("8G", "4G")), ("2G", "2G", None), ("1G", "1G", None))
    ):
        for layer in range(3):
            rows |= _residual(f"{up}.{4 * at + layer}", out if layer else inside, out)
        if at < 3:
            rows |= _resample(f"{up}.{4 * at + 3}", out, f"{int(out[0]) // 2}G", time)
    return rows


def _vae22() -> Rows:
    """As the older one, but levels are lists of their own, and resampling keeps the width."""
    rows = _convolution("conv1", "2Z", "2Z", "1 1 1") | _convolution("conv2", "Z", "Z", "1 1 1")
    rows |= _half("encoder", ("1C", "12"), "4C", ("2Z", "4C")) | _half(
        "decoder", ("4G", "Z"), "4G", ("12", "1G")
    )
    for at, (inside, out) in enumerate((("1C", "1C"), ("1C", "2C"), ("2C", "4C"), ("4C", "4C"))):
        level = f"encoder.downsamples.{at}.downsamples"
        rows |= _residual(f"{level}.0", inside, out) | _residual(f"{level}.1", out, out)
        if at < 3:
            rows |= _resample(f"{level}.2", out, out, (out, out) if at else None)
    for at, (inside, out) in enumerate((("4G", "4G"), ("4G", "4G"), ("4G", "2G"), ("2G", "1G"))):
        level = f"decoder.upsamples.{at}.upsamples"
        for layer in range(3):
            rows |= _residual(f"{level}.{layer}", out if layer else inside, out)
        if at < 3:
            rows |= _resample(f"{level}.3", out, out, ("8G", "4G") if at < 2 else None)
    return rows


VAE21 = _vae21()
VAE22 = _vae22()


def is_of_module(name: str) -> bool:
    """Whether a native name is that of a VACE edit module, beside a backbone or alone."""
    return name.startswith("vace_")


@dataclass(frozen=True)
class Fit:
    """How a file's tensors agree with a layout. `sizes` are the values of the letters."""

    sizes: Mapping[str, int]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: tuple[str, ...]


def fit(rows: Rows, tensors: Mapping[str, TensorInfo]) -> Fit:
    """Holds tensors, by native name, against a layout.

    A letter's value is what its first row that the file has says, so an odd tensor is told from the others. Every
    block that one tensor of the file is in, and every one before it, has to be complete.
    """
    homes = {name: home for name in tensors if (home := _row(rows, name)) is not None}
    sizes: dict[str, int] = {}
    first = {home: tensors[name].shape for name, home in reversed(homes.items())}
    for home in rows:
        if home in first:
            bind(rows[home].split(), first[home], sizes)
    misshapen = tuple(
        name for name, home in homes.items() if not agrees(rows[home].split(), tensors[name].shape, sizes)
    )
    return Fit(
        sizes,
        tuple(name for name in _expected(rows, homes) if name not in homes),
        tuple(name for name in tensors if name not in homes),
        misshapen,
    )


def _row(rows: Rows, name: str) -> str | None:
    if name in rows:
        return name
    home = _BLOCK_NUMBER.sub("#", name, count=1)
    return home if home in rows and home != name else None


def bind(dims: list[str], shape: Shape, sizes: dict[str, int]) -> None:
    """Gives the letters that have no value yet the one that this shape gives them."""
    if len(dims) != len(shape):
        return
    for dim, size in zip(dims, shape, strict=True):
        factor, letter = _term(dim)
        if letter and letter not in sizes and size % factor == 0:
            sizes[letter] = size // factor


def agrees(dims: list[str], shape: Shape, sizes: Mapping[str, int]) -> bool:
    """Whether a shape is what its row says."""
    if len(dims) != len(shape):
        return False
    for dim, size in zip(dims, shape, strict=True):
        factor, letter = _term(dim)
        if size != factor * (sizes.get(letter, 0) if letter else 1):
            return False
    return True


@lru_cache
def _term(dim: str) -> tuple[int, str]:
    found = _TERM.fullmatch(dim)
    assert found, dim
    return int(found[1] or 1), found[2]


def _expected(rows: Rows, names: Iterable[str]) -> Iterable[str]:
    num_blocks: dict[str, int] = {}
    for name in names:
        if found := _BLOCK_NUMBER.search(name):
            stack = name[: found.start()]
            num_blocks[stack] = max(num_blocks.get(stack, 0), int(found[0]) + 1)
    for row in rows:
        stack, hash_mark, rest = row.partition("#")
        if not hash_mark:
            yield row
        else:  # a stack that the file has nothing of still lacks its first block
            yield from (f"{stack}{block}{rest}" for block in range(num_blocks.get(stack, 1)))
