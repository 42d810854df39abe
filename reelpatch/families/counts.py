"""What is counted of a model from its sizes alone: parameters and FLOPs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

FP32, HALF, FP8 = 4, 2, 1  # bytes of a number
# Of the VAE's tiles, where a whole picture has no room: how long they are at most, and how much they overlap at least, but for
# rounding to multiples of _STEP_PX.
TILE_PX, TILE_OVERLAP_PX, _STEP_PX = 256, 64, 16


@dataclass(frozen=True)
class Tiles:
    """The tiles along one side of a picture, all of one length. Units: pixels."""

    side_px: int
    length_px: int
    starts: tuple[int, ...]

    @classmethod
    def along(cls, side_px: int) -> "Tiles":
        """As few as there need be, spread evenly; one where the side is no longer than a tile."""
        if side_px <= TILE_PX:
            return cls(side_px, side_px, (0,))
        count = -(-(side_px - TILE_OVERLAP_PX) // (TILE_PX - TILE_OVERLAP_PX))
        length = -(-(side_px + (count - 1) * TILE_OVERLAP_PX) // (count * _STEP_PX)) * _STEP_PX
        last = side_px - length
        between = (round(number * last / (count - 1) / _STEP_PX) * _STEP_PX for number in range(count - 1))
        return cls(side_px, length, (*between, last))

    @property
    def work_px(self) -> int:
        """Of all of them together."""
        return self.length_px * len(self.starts)


def tiles_of(size: tuple[int, int]) -> tuple[Tiles, Tiles]:
    """The tiles of a picture along its height and its width."""
    height, width = size
    return Tiles.along(height), Tiles.along(width)


def tiled_pixels(size: tuple[int, int]) -> int:
    """The pixels of all tiles of a picture, overlaps counted as often as they are computed."""
    rows, columns = tiles_of(size)
    return rows.work_px * columns.work_px


@dataclass(frozen=True)
class Flops:
    """FLOPs by kind: linear layers and patch embeddings, self-attention, cross-attention."""

    linear: int = 0
    self_attention: int = 0
    cross_attention: int = 0

    @property
    def total(self) -> int:
        return self.linear + self.self_attention + self.cross_attention

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(
            self.linear + other.linear,
            self.self_attention + other.self_attention,
            self.cross_attention + other.cross_attention,
        )

    def __mul__(self, times: int) -> "Flops":
        return Flops(self.linear * times, self.self_attention * times, self.cross_attention * times)


@dataclass(frozen=True)
class Parameters:
    """How many numbers a part holds, by the precision they are kept in.

    `matrices` are the linear weights of blocks, which fp8 files hold in fp8; `half` follows the dtype computed in;
    `fp32` is what diffusers keeps in fp32 (time embedding, modulation, the affine norm).
    """

    matrices: int = 0
    half: int = 0
    fp32: int = 0

    @property
    def total(self) -> int:
        return self.matrices + self.half + self.fp32

    def __add__(self, other: "Parameters") -> "Parameters":
        return Parameters(self.matrices + other.matrices, self.half + other.half, self.fp32 + other.fp32)

    def __mul__(self, times: int) -> "Parameters":
        return Parameters(self.matrices * times, self.half * times, self.fp32 * times)

    def num_bytes(self, matrix_bytes: int, half_bytes: int = HALF) -> int:
        """In memory, with linear weights of that many bytes each and the rest as the loaders keep it."""
        return matrix_bytes * self.matrices + half_bytes * self.half + FP32 * self.fp32


class BackboneCounts(Protocol):
    """A transformer of blocks that are all alike; `ffn_dim` is the greatest width within one."""

    @property
    def dim(self) -> int: ...
    @property
    def ffn_dim(self) -> int: ...
    @property
    def num_blocks(self) -> int: ...

    @property
    def block(self) -> Parameters:
        """Of one block."""
        ...

    @property
    def outside(self) -> Parameters:
        """Of everything but the blocks."""
        ...

    @property
    def parameters(self) -> Parameters: ...

    def flops(self, tokens: int, *, skipped_blocks: int = 0) -> Flops:
        """Of one forward without edits, for one sample."""
        ...


@runtime_checkable
class CountsItsSteps(Protocol):
    """A backbone whose text goes through every block beside the clip, and that counts itself what a forward holds."""

    def step_bytes(
        self, tokens: int, *, pictures: int, number_bytes: int, matrix_bytes: int, has_loras: bool
    ) -> int:
        """Bytes alive at the peak of a forward over so many tokens of the clip, which is shown so many pictures, with all the text there can be.

        Numbers are computed with in `number_bytes`, and matrices held in `matrix_bytes`.
        """
        ...


class ModuleCounts(Protocol):
    """An edit module beside a backbone: a stack of blocks with a projection at either end of each."""

    @property
    def num_blocks(self) -> int: ...

    @property
    def core(self) -> Parameters:
        """Of a block without its projections."""
        ...

    @property
    def projection(self) -> Parameters: ...

    @property
    def outside(self) -> Parameters:
        """Of everything but the blocks."""
        ...

    @property
    def parameters(self) -> Parameters: ...

    def flops(self, tokens: int) -> Flops:
        """Of one context's stream beside one forward of the backbone."""
        ...


class VaeCounts(Protocol):
    """A VAE. Units: pictures in pixels (height, width), lengths in frames of pixels."""

    @property
    def is_always_tiled(self) -> bool:
        """Whether pictures larger than a tile are worked on tile by tile whatever room there is."""
        ...

    def live_numbers(self, frames: int, size: tuple[int, int]) -> tuple[float, float]:
        """How many numbers are alive at the peak of encoding a clip and of decoding one, beside the clip itself; `size` is that
        of a picture, or of a tile of one."""
        ...

    @property
    def parameters(self) -> int: ...
    def encode_flops(self, frames: int, size: tuple[int, int]) -> int: ...
    def decode_flops(self, frames: int, size: tuple[int, int]) -> int: ...


class TextCounts(Protocol):
    """A text encoder of blocks that are all alike."""

    @property
    def dim(self) -> int: ...
    @property
    def ffn_dim(self) -> int: ...
    @property
    def num_heads(self) -> int: ...
    @property
    def num_blocks(self) -> int: ...

    @property
    def rows(self) -> int:
        """The greatest number of tokens of a text."""
        ...

    @property
    def matrices(self) -> int:
        """The linear weights of one block."""
        ...

    @property
    def parameters(self) -> int: ...

    def flops(self, rows: int) -> int:
        """Of one text of that many tokens."""
        ...

    def live_bytes(self, number_bytes: int, matrix_bytes: int) -> int:
        """Bytes alive at the peak of a text of full length, computed in numbers of so many bytes, with matrices held in so many."""
        ...


class Header(Protocol):
    """A weight file, as far as its header tells, under native names."""

    @property
    def keys(self) -> Collection[str]: ...
    def shape(self, native: str) -> tuple[int, ...]: ...
    def count(self, stack: str) -> int: ...


class ModuleSizes(Protocol):
    """How a kind's edit modules are counted."""

    @property
    def matrix(self) -> str:
        """A linear weight of a block, by native name: its dtype is that of all."""
        ...

    def published(self, backbone: BackboneCounts, num_blocks: int) -> ModuleCounts:
        """One of that many blocks, as they were published beside the backbone."""
        ...

    def of_file(self, backbone: BackboneCounts, file: Header) -> ModuleCounts: ...


@dataclass(frozen=True)
class FamilySizes:
    """The models of a family that go together; `module_blocks` are those of the edit module that was published beside."""

    backbone: BackboneCounts
    vae: VaeCounts
    text: TextCounts
    module_blocks: int = 0


class FamilyCounts(Protocol):
    """How the models of a family are counted: those that were published by name, others from their headers."""

    @property
    def matrix(self) -> str:
        """A linear weight of a block, by native name: its dtype is that of all."""
        ...

    @property
    def text_matrix(self) -> str:
        """The same of the text encoder."""
        ...

    def published(self, names: Sequence[str], *, sees_pictures: bool) -> FamilySizes | None:
        """The models that a backbone published under these names goes with; None where they are not known."""
        ...

    def backbone(self, file: Header) -> BackboneCounts: ...
    def vae(self, file: Header) -> VaeCounts: ...
    def text(self, file: Header) -> TextCounts: ...
