"""Parameters and FLOPs of an edit adapter, counted from the sizes of its backbone and the rank of its LoRA."""

from dataclasses import dataclass, field
from math import prod

from reelpatch.families.counts import BackboneCounts, Flops, Header, Parameters
from reelpatch.families.wan.layouts import ADAPTER_PARTS
from reelpatch.families.wan.transformer_counts import PATCH_AREA, Transformer

PUBLISHED_RANK = 256
"""Of EasyV2V's LoRA, on the attention of every block."""
_MATRICES = 8  # queries, keys, values and outputs of self- and cross-attention


@dataclass(frozen=True)
class EditAdapterSizes:
    """The sizes of an edit adapter; it has no blocks of its own, and its LoRA's work is not counted, as that of no LoRA is."""

    backbone: Transformer
    lora_parameters: int
    num_blocks: int = 0
    core: Parameters = field(default_factory=Parameters)
    projection: Parameters = field(default_factory=Parameters)

    @property
    def outside(self) -> Parameters:
        """Of the embeddings and the LoRA."""
        d, channels = self.backbone.dim, self.backbone.in_channels
        return Parameters(half=len(ADAPTER_PARTS) * (PATCH_AREA * channels * d + d) + self.lora_parameters)

    @property
    def parameters(self) -> Parameters:
        return self.outside

    def flops(self, tokens: int) -> Flops:
        """Of the mask's embedding, which is added to the source's tokens: half of all there are, at most."""
        return Flops(linear=tokens * PATCH_AREA * self.backbone.in_channels * self.backbone.dim)


class AdapterCounts:
    """As `ModuleSizes`."""

    matrix = "source_embedding.weight"

    def published(self, backbone: BackboneCounts, num_blocks: int) -> EditAdapterSizes:  # noqa: ARG002 -- as `ModuleSizes`
        assert isinstance(backbone, Transformer)
        pairs = backbone.num_blocks * _MATRICES * 2 * PUBLISHED_RANK * backbone.dim
        return EditAdapterSizes(backbone, pairs)

    def of_file(self, backbone: BackboneCounts, file: Header) -> EditAdapterSizes:
        assert isinstance(backbone, Transformer)
        names = (f"{part}_embedding.{one}" for part in ADAPTER_PARTS for one in ("weight", "bias"))
        own = set(names)
        total = sum(prod(file.shape(name)) for name in file.keys if name not in own)
        return EditAdapterSizes(backbone, total)
