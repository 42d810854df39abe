"""The published weight files of HunyuanVideo-1.5 and of Capybara, under all names they go by.

Sizes are as published, or as counted for fp16, in 10^9 bytes. Source: the file list of Comfy-Org/HunyuanVideo_1.5_repackaged.
"""

from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.recipes.files import APACHE, UNKNOWN_LICENCE
from reelpatch.recipes.record import Role, WeightFile

TENCENT = "Tencent Hunyuan Community License, which does not hold everywhere; see its page"
_REPACKAGED = "https://huggingface.co/Comfy-Org/HunyuanVideo_1.5_repackaged/resolve/main/split_files"


def _file(
    role: Role,
    kind: HunyuanFile,
    sizes: dict[str, float | None],
    licence: str,
) -> WeightFile:
    first, *_ = sizes
    folder = kind.folder
    others = {name: size for name, size in sizes.items() if name != first and size is not None}
    return WeightFile(
        role,
        tuple(sizes),
        f"{_REPACKAGED}/{folder}/{first}",
        sizes[first],
        licence,
        kind=kind,
        other_sizes_gb=others,
    )


CAPYBARA = _file("backbone", HunyuanFile.BACKBONE, {"capybara_v0.1.safetensors": 15.5}, f"MIT, on {TENCENT}")
HUNYUAN_VAE = _file("vae", HunyuanFile.VAE, {"hunyuanvideo15_vae_fp16.safetensors": 2.5}, TENCENT)
QWEN_7B = _file(
    "text_encoder",
    HunyuanFile.QWEN,
    {"qwen_2.5_vl_7b_fp8_scaled.safetensors": 9.38, "qwen_2.5_vl_7b.safetensors": 16.6},
    APACHE,
)
BYT5_GLYPH = _file(
    "glyph_encoder", HunyuanFile.BYT5, {"byt5_small_glyphxl_fp16.safetensors": 0.44}, UNKNOWN_LICENCE
)
SIGLIP = _file(
    "clip_vision", HunyuanFile.SIGLIP, {"sigclip_vision_patch14_384.safetensors": 0.86}, UNKNOWN_LICENCE
)
