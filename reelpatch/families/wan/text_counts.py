"""Parameters and FLOPs of a UMT5 text encoder, counted from its sizes. Source: google/umt5-xxl as Wan uses it."""

from dataclasses import dataclass

from reelpatch.families.counts import FP32

TEXT_ROWS = 512  # Wan pads the text to this length and attends to the padding


@dataclass(frozen=True)
class TextEncoderSizes:
    """A UMT5 encoder; its defaults are those of UMT5-XXL. `attention_dim` is that of all heads together."""

    vocabulary: int = 256384
    dim: int = 4096
    attention_dim: int = 4096
    num_heads: int = 64
    ffn_dim: int = 10240
    num_blocks: int = 24
    num_buckets: int = 32
    rows: int = TEXT_ROWS

    @property
    def embedding(self) -> int:
        return self.vocabulary * self.dim

    @property
    def matrices(self) -> int:
        """The linear weights of one block."""
        return 4 * self.dim * self.attention_dim + 3 * self.dim * self.ffn_dim

    @property
    def parameters(self) -> int:
        block = self.matrices + 2 * self.dim + self.num_heads * self.num_buckets
        return self.embedding + self.num_blocks * block + self.dim

    def flops(self, rows: int) -> int:
        """Of one text of that many tokens; a lookup in the vocabulary counts nothing."""
        linear = 2 * rows * self.matrices
        return self.num_blocks * (linear + 4 * rows * rows * self.attention_dim)

    def live_bytes(self, number_bytes: int, matrix_bytes: int) -> int:  # noqa: ARG002 -- as `TextCounts`: its sums are in fp32
        """At the peak of a text of full length: attention scores, and the feed-forward layer, in fp32."""
        scores = 3 * FP32 * self.num_heads * self.rows * self.rows
        return scores + 4 * FP32 * self.rows * (self.ffn_dim + self.dim)


UMT5_XXL = TextEncoderSizes()
