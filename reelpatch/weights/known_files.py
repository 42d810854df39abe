"""The names that weight files are published under, as data: only to warn where a file is not what its name says."""

import re
from dataclasses import dataclass

from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.families.kinds import FileKind, Kind

_SUFFIXES = re.compile(r"(\.safetensors)+$|\.sft$", re.IGNORECASE)
_DTYPES = (
    ("fp8_e4m3fn", "F8_E4M3"),
    ("fp8_e5m2", "F8_E5M2"),
    ("e4m3fn", "F8_E4M3"),
    ("e5m2", "F8_E5M2"),
    ("bf16", "BF16"),
    ("fp16", "F16"),
    ("fp32", "F32"),
)


@dataclass(frozen=True)
class Promise:
    """What a published name says of its file; empty where it says nothing."""

    kind: FileKind
    size: str = ""
    dtype: str = ""


# A pattern for the whole name without its suffixes, and what it promises. Source: the file lists of Kijai/WanVideo_comfy
# and its fp8_scaled sister, Comfy-Org's repackaged Wan 2.1 and 2.2, QingyanBai/Ditto_models, lightx2v and decart-ai.
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, size)
    for pattern, kind, size in (
        (r"Wan2_1-T2V-14B_.*|wan2\.1_t2v_14B_.*|wan2\.2_t2v_(high|low)_noise_14B_.*", Kind.BACKBONE, "14B"),
        (r"Wan2_2-T2V-A14B-(HIGH|LOW)_.*", Kind.BACKBONE, "14B"),
        (r"Wan2_1-T2V-1_3B_.*|wan2\.1_t2v_1\.3B_.*|wan2\.1_bernini_1\.3B_.*", Kind.BACKBONE, "1.3B"),
        (r"wan2\.2_bernini_r_(high|low)_noise_.*", Kind.BACKBONE, "14B"),
        (r"videocof|Wan2\.1_Text_to_Video_14B_FusionX_LoRA", Kind.LORA, "14B"),
        (r"Wan2_1-VACE[_-]module[_-]14B_.*|Wan2_2_Fun_VACE_module_A14B_.*", Kind.EDIT_MODULE, "14B"),
        (r"ditto_\w+_comfy", Kind.EDIT_MODULE, "14B"),
        (r"Wan2_1-VACE[_-]module[_-]1_3B_.*", Kind.EDIT_MODULE, "1.3B"),
        (r"wan2\.1_vace_14B_.*", Kind.VACE, "14B"),
        (r"wan2\.1_vace_1\.3B_.*", Kind.VACE, "1.3B"),
        (
            r"Wan2_1-(I2V|FLF2V)-14B[_-].*|wan2\.1_(i2v|flf2v)_(480p_|720p_)?14B_.*",
            Kind.IMAGE_BACKBONE,
            "14B",
        ),
        (r"chrono_edit_14B_.*|wan2\.2_i2v_(high|low)_noise_14B_.*", Kind.IMAGE_BACKBONE, "14B"),
        (r"wan2\.2_ti2v_5B_.*|Wan2_2-TI2V-5B_.*|lucy-edit-.*", Kind.WIDE_BACKBONE, "5B"),
        (r"ditto_(global|global_style|sim2real|local)|Wan21_14B_VACE_lora_.*", Kind.LORA, "14B"),
        (r"Wan21_CausVid_14B_.*|.*lightx2v.*_14B?_.*lora.*|.*_14B_.*lora_rank\d+.*", Kind.LORA, "14B"),
        (
            r"wan2\.1_t2v_14b_lora_.*|wan2\.2_[ti]2v_lightx2v_4steps_lora_.*|chronoedit_.*lora.*",
            Kind.LORA,
            "14B",
        ),
        (r"Wan21_CausVid_bidirect2_T2V_1_3B_.*", Kind.LORA, "1.3B"),
        (r"Wan2_1_VAE_.*|wan_2\.1_vae|lightvaew2_1", Kind.VAE21, ""),
        (r"wan2\.2_vae|Wan2_2_VAE_.*", Kind.VAE22, ""),
        (r"(light)?taew2_[12]", Kind.TINY_VAE, ""),
        (r"umt5[_-]xxl[_-].*", Kind.UMT5, ""),
        (
            r"clip_vision_h|open-clip-xlm-roberta-large-vit-huge-14_visual_.*",
            Kind.CLIP_VISION,
            "",
        ),
        (r"hunyuanvideo1\.5_\d+p_sr_.*", HunyuanFile.UPSCALER, ""),
        (r"hunyuanvideo1\.5_(480p|720p|1080p)_.*|capybara_v0\.1.*", HunyuanFile.BACKBONE, ""),
        (r"hunyuanvideo15_vae_.*", HunyuanFile.VAE, ""),
        (r"sigclip_vision_.*", HunyuanFile.SIGLIP, ""),
        (r"qwen_2\.5_vl_7b.*", HunyuanFile.QWEN, ""),
        (r"byt5_small_glyphxl_.*", HunyuanFile.BYT5, ""),
        (r"t5xxl_.*", Kind.OTHER_TEXT_ENCODER, ""),
    )
)


def promise(name: str) -> Promise | None:
    """What a file name says; None for a name that is not a published one."""
    stem = _SUFFIXES.sub("", name)
    for pattern, kind, size in _PATTERNS:
        if pattern.fullmatch(stem):
            dtype = next((dtype for mark, dtype in _DTYPES if mark in stem.lower()), "")
            return Promise(kind, size, dtype)
    return None
