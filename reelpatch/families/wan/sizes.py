"""The published sizes of Wan's transformers: the one place where their widths stand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WanSize:
    """One size by its name (`14B`): width, width of the feed-forward layers, blocks, and how many VACE blocks go with it."""

    name: str
    dim: int
    ffn_dim: int
    num_blocks: int
    num_vace_blocks: int

    @property
    def vace_layers(self) -> tuple[int, ...]:
        """The main blocks that VACE's hints follow, evenly spread. Source: Wan2.1-VACE's config.json."""
        return tuple(range(0, self.num_blocks, self.num_blocks // self.num_vace_blocks))


WAN_14B = WanSize("14B", dim=5120, ffn_dim=13824, num_blocks=40, num_vace_blocks=8)
WAN_1_3B = WanSize("1.3B", dim=1536, ffn_dim=8960, num_blocks=30, num_vace_blocks=15)
WAN_5B = WanSize("5B", dim=3072, ffn_dim=14336, num_blocks=30, num_vace_blocks=15)
BY_WIDTH = {size.dim: size for size in (WAN_14B, WAN_1_3B, WAN_5B)}
WITH_VACE = (WAN_14B, WAN_1_3B)
"""The sizes that edit modules were published for."""


def named_widths() -> str:
    """Which width is which size, for sentences: `5120 is 14B, 1536 is 1.3B`."""
    return ", ".join(f"{size.dim} is {size.name}" for size in WITH_VACE)
