"""Parameters and FLOPs of a VACE edit module, counted from the sizes of its backbone.

Source: the layers of ali-vilab/VACE; the counts equal those of `FlopCounterMode` on our module.
"""

from dataclasses import dataclass, replace

from reelpatch.families.counts import BackboneCounts, Flops, Header, Parameters
from reelpatch.families.wan.sizes import WAN_1_3B, WAN_14B
from reelpatch.families.wan.transformer_counts import PATCH_AREA, T2V_1_3B, T2V_14B, Transformer

VACE_CHANNELS = 96


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


VACE_14B = EditModule(T2V_14B, WAN_14B.num_vace_blocks)
VACE_1_3B = EditModule(T2V_1_3B, WAN_1_3B.num_vace_blocks)


class VaceCounts:
    """As `ModuleSizes`."""

    matrix = "vace_blocks.0.self_attn.q.weight"

    def published(self, backbone: BackboneCounts, num_blocks: int) -> EditModule:
        assert isinstance(backbone, Transformer)
        return EditModule(backbone, num_blocks)

    def of_file(self, backbone: BackboneCounts, file: Header) -> EditModule:
        assert isinstance(backbone, Transformer)
        return EditModule(backbone, file.count("vace_blocks"), file.shape("vace_patch_embedding.weight")[1])
