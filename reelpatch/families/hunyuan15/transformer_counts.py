"""Parameters and FLOPs of a HunyuanVideo-1.5 transformer, counted from its sizes alone.

One multiply-accumulate is 2 FLOPs; softmax, norms, rotary embedding and activations are left out. Source: diffusers'
HunyuanVideo15Transformer3DModel; the counts equal those of `FlopCounterMode` on it.
"""

from dataclasses import dataclass

from reelpatch.families.counts import FP32, Flops, Parameters
from reelpatch.families.hunyuan15.text_counts import GLYPH_ROWS, TEXT_ROWS

FREQ_DIM, GLYPH_HIDDEN = 256, 2048
VISION_ROWS = 729  # of one picture that SigLIP has seen
SEEN_PICTURES = 3
"""How many pictures of a clip Capybara looks at."""


@dataclass(frozen=True)
class HunyuanTransformer:
    """The sizes of a transformer; `text_rows` is the greatest number of tokens of text and pictures beside those of the clip."""

    dim: int = 2048
    num_blocks: int = 54
    in_channels: int = 65
    out_channels: int = 32
    head_dim: int = 128
    text_dim: int = 3584
    glyph_dim: int = 1472
    vision_dim: int = 1152
    num_refiners: int = 2
    has_mean_flow: bool = False
    text_rows: int = TEXT_ROWS + GLYPH_ROWS + SEEN_PICTURES * VISION_ROWS

    @property
    def ffn_dim(self) -> int:
        return 4 * self.dim

    @property
    def block(self) -> Parameters:
        """Of one block: either stream has attention, a feed-forward layer and six numbers of modulation for each channel."""
        d = self.dim
        return Parameters(matrices=2 * 18 * d * d, half=2 * (15 * d + 2 * self.head_dim))

    @property
    def outside(self) -> Parameters:
        """Of everything but the blocks: embeddings, refiners of the text, and head."""
        d, glyph, seen = self.dim, self.glyph_dim, self.vision_dim
        time = FREQ_DIM * d + d + d * d + d
        clip = self.in_channels * d + d + 3 * d
        text = self.text_dim * d + d + (self.text_dim * d + d + d * d + d) + time
        refiner = 14 * d * d + (4 + 4 + 1 + 2) * d + 4 * d
        glyphs = 2 * glyph + (glyph + 1) * GLYPH_HIDDEN + (GLYPH_HIDDEN + 1) * (GLYPH_HIDDEN + d)
        pictures = 2 * seen + (seen + 1) * (seen + d) + 2 * d
        head = 2 * d * d + 2 * d + self.out_channels * (d + 1)
        times = time * (2 if self.has_mean_flow else 1)
        return Parameters(half=clip + text + times + self.num_refiners * refiner + glyphs + pictures + head)

    @property
    def parameters(self) -> Parameters:
        return self.outside + self.block * self.num_blocks

    def flops(self, tokens: int, *, skipped_blocks: int = 0) -> Flops:
        """Of one forward without edits, for one sample, with all the text there can be."""
        return self.outside_flops(tokens) + self.block_flops(tokens) * (self.num_blocks - skipped_blocks)

    def block_flops(self, tokens: int) -> Flops:
        """Of one block: what tokens of the clip read of each other counts as self-attention, the rest as cross-attention."""
        d, rows = self.dim, self.text_rows
        linear = 2 * (tokens + rows) * 12 * d * d + 2 * 2 * 6 * d * d
        return Flops(linear, 4 * tokens * tokens * d, 4 * rows * (2 * tokens + rows) * d)

    def step_bytes(
        self, tokens: int, *, pictures: int, number_bytes: int, matrix_bytes: int, has_loras: bool
    ) -> int:
        """As `CountsItsSteps`: in the feed-forward layer of the clip's stream, or behind the joint attention, in that of the text's.

        A LoRA beside the weights adds one more tensor of the feed-forward width. Besides there are rotary angles and the
        source in fp32, what all channels are made of, and texts and pictures as they are read.
        """
        d, one = self.dim, number_bytes
        rows = self.text_rows - (SEEN_PICTURES - pictures) * VISION_ROWS
        of_token = (
            2 * FP32 * self.head_dim + FP32 * (self.in_channels - self.out_channels) + one * self.in_channels
        )
        given = (
            TEXT_ROWS * self.text_dim + GLYPH_ROWS * self.glyph_dim + pictures * VISION_ROWS * self.vision_dim
        )
        of_clip = (12 + 4 * has_loras) * d * tokens + 7 * d * rows
        of_text = 10 * d * tokens + 13 * d * rows + (d * d if matrix_bytes != one else 0)
        return of_token * tokens + one * (given + max(of_clip, of_text))

    def outside_flops(self, tokens: int) -> Flops:
        """Of embeddings, refiners and head."""
        d, glyph, seen = self.dim, self.glyph_dim, self.vision_dim
        time = 2 * (FREQ_DIM * d + d * d)
        clip = 2 * tokens * (self.in_channels + self.out_channels) * d
        text = 2 * TEXT_ROWS * self.text_dim * d + 2 * (self.text_dim * d + d * d) + time
        refiner = 2 * TEXT_ROWS * 12 * d * d + 2 * 2 * d * d + 4 * TEXT_ROWS * TEXT_ROWS * d
        glyphs = 2 * GLYPH_ROWS * (glyph * GLYPH_HIDDEN + GLYPH_HIDDEN * (GLYPH_HIDDEN + d))
        pictures = 2 * (self.text_rows - TEXT_ROWS - GLYPH_ROWS) * (seen * seen + seen * d)
        head = 2 * 2 * d * d
        times = time * (2 if self.has_mean_flow else 1)
        return Flops(linear=clip + text + times + self.num_refiners * refiner + glyphs + pictures + head)


HUNYUAN_8B = HunyuanTransformer()
