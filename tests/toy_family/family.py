from reelpatch.families.family import Family, InComfyUI
from reelpatch.families.kinds import FileKind
from reelpatch.families.lattice import Lattice
from reelpatch.families.mark import Mark

WIDTH, NUM_HEADS, CHANNELS = 64, 4, 8


class ToyFile(FileKind):
    BACKBONE = ("a toy backbone", "diffusion_models", "the toy VAE")
    VAE = ("a toy VAE", "vae", "toy backbones")


TOY_FAMILY = Family(
    name="toy",
    lattice=Lattice(channels=CHANNELS, frames_per_latent=2, cell_px=4, patch_cells=1),
    head_dim=WIDTH // NUM_HEADS,
    counts=("tests.toy_family.counts", "ToyCounts"),
    headless=("tests.toy_family.models", "ToyModels"),
    comfyui=InComfyUI("toy_family.in_comfyui.ToyInComfyUI", "toy_family.in_comfyui.ToyLatents"),
    marks=(
        Mark(ToyFile.BACKBONE, "64 wide", ("patch_embedding.weight", "mix.weight"), 0, WIDTH),
        Mark(ToyFile.VAE, "8 channels", ("to_latents.weight",)),
    ),
)
