"""Rotary positions of an image-to-video backbone that edits pictures: a pair of latent frames stands at the ends of a film."""

from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed
from torch import Tensor, nn

from reelpatch.edits.reasoning.drop import rotary_positions


class SpacedRotary(nn.Module):
    """The angles of diffusers' `table`, its latent frames where `rotary_positions` puts them."""

    def __init__(self, table: WanRotaryPosEmbed) -> None:
        super().__init__()
        self.table = table

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines [1, tokens, 1, width of a head] of latents [B, C, T, h, w]."""
        frames, rows, columns = latents.shape[-3:]
        time, down, across = self.table.patch_size
        positions = rotary_positions(frames // time)
        film = latents[:, :, :1].expand(-1, -1, (positions[-1] + 1) * time, -1, -1)
        tokens = (rows // down) * (columns // across)
        cos, sin = (
            angles.unflatten(1, (-1, tokens))[:, list(positions)].flatten(1, 2) for angles in self.table(film)
        )
        return cos, sin


def space_positions(transformer: WanTransformer3DModel) -> None:
    """Gives a transformer these positions, in place of its own; all else stays."""
    rope = transformer.rope
    assert isinstance(rope, WanRotaryPosEmbed)
    transformer.add_module("rope", SpacedRotary(rope))
