"""Parameters and FLOPs of the text encoders of HunyuanVideo-1.5, counted from their sizes.

Source: Qwen2.5-VL-7B as its pipeline runs it (without the last two layers and the part that sees), and Glyph's byT5.
"""

from dataclasses import dataclass

TEXT_ROWS, GLYPH_ROWS = 1000, 256
"""The greatest number of tokens of an instruction, and of quoted text."""
TEMPLATE_ROWS = 108  # tokens of the template in front of the instruction, which are read and left off
SKIPPED_LAYERS = 2
_HEAD_DIM = 128


@dataclass(frozen=True)
class GlyphSizes:
    """A byT5 encoder; its defaults are those of Glyph's. `attention_dim` is that of all heads together."""

    vocabulary: int = 1510
    dim: int = 1472
    attention_dim: int = 384
    num_heads: int = 6
    ffn_dim: int = 3584
    num_blocks: int = 12
    num_buckets: int = 32

    @property
    def parameters(self) -> int:
        block = 4 * self.dim * self.attention_dim + 3 * self.dim * self.ffn_dim + 2 * self.dim
        return (self.vocabulary + 1) * self.dim + self.num_blocks * block + self.num_buckets * self.num_heads


@dataclass(frozen=True)
class QwenSizes:
    """A Qwen2.5 language model as far as it is run, `kv_dim` wide for keys and for values; byT5 counts with it."""

    vocabulary: int = 152064
    dim: int = 3584
    kv_dim: int = 512
    num_heads: int = 28
    ffn_dim: int = 18944
    num_blocks: int = 28 - SKIPPED_LAYERS
    glyphs: GlyphSizes = GlyphSizes()
    rows: int = TEMPLATE_ROWS + TEXT_ROWS

    @property
    def matrices(self) -> int:
        """The linear weights of one block."""
        return 2 * self.dim * (self.dim + self.kv_dim) + 3 * self.dim * self.ffn_dim

    @property
    def parameters(self) -> int:
        block = self.matrices + self.dim + 2 * self.kv_dim + 2 * self.dim
        return self.vocabulary * self.dim + self.num_blocks * block + self.glyphs.parameters

    def flops(self, rows: int) -> int:
        """Of one text of that many tokens; byT5's are left out, as few texts quote and its are one in a hundred."""
        return self.num_blocks * (2 * rows * self.matrices + 4 * rows * rows * self.dim)

    def live_bytes(self, number_bytes: int, matrix_bytes: int) -> int:
        """At the peak of a text of full length, in a feed-forward layer: its product with both factors, or both and one matrix as it is
        computed with, where it is held in another dtype; three rows of the stream, rotary angles, and what each row sees of the others.
        """
        of_row = 3 * self.dim + 2 * _HEAD_DIM
        product = self.rows * (of_row + 3 * self.ffn_dim)
        widened = self.rows * (of_row + 2 * self.ffn_dim) + self.dim * self.ffn_dim
        numbers = product if matrix_bytes == number_bytes else max(product, widened)
        return number_bytes * numbers + self.rows * self.rows


QWEN_7B = QwenSizes()
