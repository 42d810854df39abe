"""Parameters and FLOPs of a Wan transformer and its VACE edit module, counted from their sizes alone.

One multiply-accumulate is 2 FLOPs; softmax, norms, rotary embedding and GELU are left out, as is usual.
Source: the layers of Wan2.1 and ali-vilab/VACE; the counts equal those of `FlopCounterMode` on diffusers' classes.
"""

from dataclasses import dataclass, replace

from reelpatch.families.wan.sizes import WAN_1_3B, WAN_5B, WAN_14B, WanSize

TEXT_ROWS = 512  # Wan pads the text to this length and attends to the padding
FREQ_DIM = 256
CLIP_ROWS, CLIP_DIM = 257, 1280  # image tokens of image-to-video backbones of Wan2.1
PATCH_AREA = 4  # latent cells of a token
VACE_CHANNELS = 96
FP32, HALF, FP8 = 4, 2, 1  # bytes of a number


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


@dataclass(frozen=True)
class EditModule:
    """The sizes of a VACE edit module: its blocks are those of its backbone, with projections at both ends."""

    backbone: Transformer
    num_blocks: int
    context_channels: int = VACE_CHANNELS

    @property
    def core(self) -> Parameters:
        """Of a block without its projections: a block of the backbone."""
        return replace(self.backbone, has_image_tokens=False).block

    @property
    def projection(self) -> Parameters:
        """Of the layer at either end of a block."""
        d = self.backbone.dim
        return Parameters(d * d, d)

    @property
    def block(self) -> Parameters:
        """Of every block but the first."""
        return self.core + self.projection

    @property
    def first_block(self) -> Parameters:
        """Of the first block, which also takes in the main stream's tokens."""
        return self.block + self.projection

    @property
    def outside(self) -> Parameters:
        """Of the patch embedding."""
        d = self.backbone.dim
        return Parameters(half=PATCH_AREA * self.context_channels * d + d)

    @property
    def parameters(self) -> Parameters:
        return self.outside + self.first_block + self.block * (self.num_blocks - 1)

    def flops(self, tokens: int) -> Flops:
        """Of one context's stream beside one forward of the backbone."""
        d = self.backbone.dim
        block = replace(self.backbone, has_image_tokens=False).block_flops(tokens)
        projections = 2 * tokens * d * d * (self.num_blocks + 1)
        embedding = 2 * tokens * PATCH_AREA * self.context_channels * d
        return block * self.num_blocks + Flops(linear=projections + embedding)


T2V_14B, T2V_1_3B = Transformer.of(WAN_14B), Transformer.of(WAN_1_3B)
I2V_14B = replace(T2V_14B, in_channels=36, has_image_tokens=True)
TI2V_5B = replace(Transformer.of(WAN_5B), in_channels=48, out_channels=48)
VACE_14B = EditModule(T2V_14B, WAN_14B.num_vace_blocks)
VACE_1_3B = EditModule(T2V_1_3B, WAN_1_3B.num_vace_blocks)
