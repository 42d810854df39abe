from collections.abc import Sequence
from dataclasses import dataclass

from reelpatch.families.counts import FamilySizes, Flops, Header, Parameters
from reelpatch.families.wan.counts import WanCounts


@dataclass(frozen=True)
class ToyTransformerSizes:
    dim: int
    ffn_dim: int
    num_blocks: int
    channels: int
    text_dim: int

    @property
    def block(self) -> Parameters:
        return Parameters(matrices=2 * self.dim * self.dim, half=2 * self.dim)

    @property
    def outside(self) -> Parameters:
        ends = 2 * self.channels * self.dim + self.dim + self.channels
        return Parameters(half=ends + self.text_dim * self.dim + 7 * self.dim)

    @property
    def parameters(self) -> Parameters:
        return self.outside + self.block * self.num_blocks

    def flops(self, tokens: int, *, skipped_blocks: int = 0) -> Flops:
        blocks = 4 * tokens * self.dim * self.dim * (self.num_blocks - skipped_blocks)
        return Flops(linear=blocks + 4 * tokens * self.channels * self.dim)


@dataclass(frozen=True)
class ToyVaeSizes:
    base_dim: int
    parameters: int
    is_always_tiled: bool = False

    def live_numbers(self, frames: int, size: tuple[int, int]) -> tuple[float, float]:
        live = float(self.base_dim * frames * size[0] * size[1])
        return live, live

    def encode_flops(self, frames: int, size: tuple[int, int]) -> int:
        return self.parameters * frames * size[0] * size[1]

    decode_flops = encode_flops


class ToyCounts:
    """As `FamilyCounts`; nothing was published, so that all is read from files."""

    matrix = "blocks.0.mix.weight"
    text_matrix = WanCounts.text_matrix

    def published(self, names: Sequence[str], *, sees_pictures: bool) -> FamilySizes | None:  # noqa: ARG002
        return None

    def backbone(self, file: Header) -> ToyTransformerSizes:
        width, channels = file.shape("patch_embedding.weight")[:2]
        return ToyTransformerSizes(width, width, file.count("blocks"), channels, file.shape("mix.weight")[1])

    def vae(self, file: Header) -> ToyVaeSizes:
        channels, colours = file.shape("to_latents.weight")
        return ToyVaeSizes(channels, 2 * channels * colours)

    text = WanCounts.text
