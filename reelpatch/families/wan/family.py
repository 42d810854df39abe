"""Wan's families: what T2V, I2V, VACE and the A14B pair share, and the 5B model with the VAE of 48 channels."""

from reelpatch.families.family import Family, InComfyUI
from reelpatch.families.lattice import Lattice

_COUNTS = ("reelpatch.families.wan.counts", "WanCounts")

WAN = Family(
    name="wan",
    lattice=Lattice(channels=16, frames_per_latent=4, cell_px=8, patch_cells=2),
    head_dim=128,
    counts=_COUNTS,
    headless=("reelpatch.headless.models.wan_models", "WanModels"),
    comfyui=InComfyUI("comfy.ldm.wan.model.WanModel", "comfy.latent_formats.Wan21"),
    vae="wan_2.1_vae.safetensors",
    works_in_pieces=True,
)
WAN_5B_FAMILY = Family(
    name="wan-5b",
    lattice=Lattice(channels=48, frames_per_latent=4, cell_px=16, patch_cells=2),
    head_dim=128,
    counts=_COUNTS,
    headless=("reelpatch.headless.models.wan_models", "WideWanModels"),
    comfyui=InComfyUI("comfy.ldm.wan.model.WanModel", "comfy.latent_formats.Wan22"),
    vae="wan2.2_vae.safetensors",
    works_in_pieces=True,
)
