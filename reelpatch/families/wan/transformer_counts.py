"""Parameters and FLOPs of a Wan transformer, counted from its sizes alone.

One multiply-accumulate is 2 FLOPs; softmax, norms, rotary embedding and GELU are left out, as is usual.
Source: the layers of Wan2.1; the counts equal those of `FlopCounterMode` on diffusers' classes.
"""

from dataclasses import dataclass, replace

from reelpatch.families.counts import Flops, Parameters
from reelpatch.families.wan.sizes import WAN_1_3B, WAN_5B, WAN_14B, WanSize
from reelpatch.families.wan.text_counts import TEXT_ROWS

FREQ_DIM = 256
CLIP_ROWS, CLIP_DIM = 257, 1280  # image tokens of image-to-video backbones of Wan2.1
PATCH_AREA = 4  # latent cells of a token


@dataclass(frozen=True)
class Transformer:
    """The sizes of a Wan backbone; `has_image_tokens` is set for image-to-video models of Wan2.1."""

    dim: int
    ffn_dim: int
    num_blocks: int
    in_channels: int = 16
    out_channels: int = 16
    text_dim: int = 4096
    has_image_tokens: bool = False

    @classmethod
    def of(cls, size: WanSize) -> "Transformer":
        """A text-to-video backbone of 16 channels of that size."""
        return cls(size.dim, size.ffn_dim, size.num_blocks)

    @property
    def block(self) -> Parameters:
        """Of one main block."""
        d, f = self.dim, self.ffn_dim
        matrices = 8 * d * d + 2 * d * f
        # Biases, and norms of queries and keys in either attention.
        vectors = 8 * d + 4 * d + (f + d)
        if self.has_image_tokens:
            matrices, vectors = matrices + 2 * d * d, vectors + 2 * d + d
        return Parameters(matrices, vectors, fp32=2 * d + 6 * d)

    @property
    def outside(self) -> Parameters:
        """Of everything but the blocks: embeddings and head."""
        d = self.dim
        patch = PATCH_AREA * self.in_channels * d + d
        text = self.text_dim * d + d + d * d + d
        head = PATCH_AREA * self.out_channels * (d + 1) + 2 * d
        projection = 6 * d * d + 6 * d
        image = 0
        if self.has_image_tokens:
            image = 2 * CLIP_DIM + CLIP_DIM * CLIP_DIM + CLIP_DIM + CLIP_DIM * d + d + 2 * d
        time = FREQ_DIM * d + d + d * d + d
        # The head's modulation is 2 d of them.
        return Parameters(half=patch + text + projection + head - 2 * d + image, fp32=time + 2 * d)

    @property
    def parameters(self) -> Parameters:
        return self.outside + self.block * self.num_blocks

    def block_flops(self, tokens: int) -> Flops:
        """Of one main block, for one sample."""
        d, f = self.dim, self.ffn_dim
        linear = 2 * tokens * (6 * d * d + 2 * d * f) + 2 * TEXT_ROWS * 2 * d * d
        context_rows = TEXT_ROWS
        if self.has_image_tokens:
            linear += 2 * CLIP_ROWS * 2 * d * d
            context_rows += CLIP_ROWS
        return Flops(linear, 4 * tokens * tokens * d, 4 * tokens * context_rows * d)

    def outside_flops(self, tokens: int) -> Flops:
        """Of embeddings and head."""
        d = self.dim
        patches = 2 * tokens * PATCH_AREA * (self.in_channels + self.out_channels) * d
        text = 2 * TEXT_ROWS * (self.text_dim * d + d * d)
        time = 2 * (FREQ_DIM * d + d * d + 6 * d * d)
        image = 2 * CLIP_ROWS * (CLIP_DIM * CLIP_DIM + CLIP_DIM * d) if self.has_image_tokens else 0
        return Flops(linear=patches + text + time + image)

    def flops(self, tokens: int, *, skipped_blocks: int = 0) -> Flops:
        """Of one forward without edits, for one sample."""
        return self.outside_flops(tokens) + self.block_flops(tokens) * (self.num_blocks - skipped_blocks)


T2V_14B, T2V_1_3B = Transformer.of(WAN_14B), Transformer.of(WAN_1_3B)
I2V_14B = replace(T2V_14B, in_channels=36, has_image_tokens=True)
TI2V_5B = replace(Transformer.of(WAN_5B), in_channels=48, out_channels=48)
