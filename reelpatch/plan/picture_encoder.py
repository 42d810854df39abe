"""Parameters and FLOPs of the picture encoders that backbones go with, CLIP ViT-H or SigLIP, counted from their sizes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureEncoderSizes:
    """A picture encoder; its defaults are those of CLIP ViT-H, of whose 32 layers the last is not run."""

    dim: int = 1280
    ffn_dim: int = 5120
    num_layers: int = 32
    patch_px: int = 14
    rows: int = 257
    left_out: int = 1

    @property
    def parameters(self) -> int:
        """Of what is run."""
        d, f = self.dim, self.ffn_dim
        layer = 4 * d * (d + 1) + 2 * d * f + f + d + 4 * d
        patches = 3 * self.patch_px**2 * d
        return self.num_run_layers * layer + patches + d + self.rows * d + 4 * d

    @property
    def flops(self) -> int:
        """Of one picture."""
        d, f, rows = self.dim, self.ffn_dim, self.rows
        layer = 2 * rows * (4 * d * d + 2 * d * f) + 4 * rows * rows * d
        return self.num_run_layers * layer + 2 * (rows - 1) * 3 * self.patch_px**2 * d if self.dim else 0

    @property
    def num_run_layers(self) -> int:
        """All but those that are left out at the end."""
        return max(0, self.num_layers - self.left_out)


VIT_H = PictureEncoderSizes()
SIGLIP_SO400M = PictureEncoderSizes(dim=1152, ffn_dim=4304, num_layers=27, rows=729, left_out=0)
NO_PICTURES = PictureEncoderSizes(dim=0, ffn_dim=0, num_layers=0, patch_px=0, rows=0)
