"""Wan's families: what T2V, I2V, VACE and the A14B pair share, and the 5B model with the VAE of 48 channels."""

from reelpatch.families.family import Family
from reelpatch.families.kinds import Kind
from reelpatch.families.lattice import Lattice
from reelpatch.families.wan.sizes import WAN_1_3B, WAN_5B, WAN_14B

WAN = Family(
    name="wan",
    title="Wan2.1 and Wan2.2 A14B",
    lattice=Lattice(channels=16, frames_per_latent=4, cell_px=8, patch_cells=2),
    sizes={size.dim: size.name for size in (WAN_14B, WAN_1_3B)},
    head_dim=128,
    vae=Kind.VAE21,
    text_encoder=Kind.UMT5,
    backbones=(Kind.BACKBONE, Kind.VACE, Kind.IMAGE_BACKBONE),
)
WAN_5B_FAMILY = Family(
    name="wan-5b",
    title="Wan2.2 TI2V-5B",
    lattice=Lattice(channels=48, frames_per_latent=4, cell_px=16, patch_cells=2),
    sizes={WAN_5B.dim: WAN_5B.name},
    head_dim=128,
    vae=Kind.VAE22,
    text_encoder=Kind.UMT5,
    backbones=(Kind.WIDE_BACKBONE,),
)
