"""HunyuanVideo-1.5: a transformer of two streams that see each other, and a VAE of 32 channels for cells of 16 pixels."""

from reelpatch.families.family import Family, InComfyUI
from reelpatch.families.hunyuan15.files import MARKS
from reelpatch.families.hunyuan15.names import TABLES
from reelpatch.families.lattice import Lattice

HUNYUAN_15 = Family(
    name="hunyuan-1.5",
    lattice=Lattice(channels=32, frames_per_latent=4, cell_px=16, patch_cells=1),
    head_dim=128,
    counts=("reelpatch.families.hunyuan15.counts", "HunyuanCounts"),
    headless=("reelpatch.headless.models.hunyuan15.models", "HunyuanModels"),
    comfyui=InComfyUI(
        "comfy.ldm.hunyuan_video.model.HunyuanVideo", "comfy.latent_formats.HunyuanVideo15", takes_edits=False
    ),
    marks=MARKS,
    vae="hunyuanvideo15_vae_fp16.safetensors",
    tables=TABLES,
    texts=("reelpatch.headless.models.hunyuan15.texts", "HunyuanTexts"),
    text_check=("reelpatch.headless.models.hunyuan15.text_check", "HunyuanTextCheck"),
)
