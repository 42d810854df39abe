"""The published weight files that recipes need, under all names they go by.

Sizes are as published, in 10^9 bytes. Source: the file lists of the repositories named in the links.
"""

from dataclasses import replace

from reelpatch.families.kinds import Kind
from reelpatch.recipes.record import Role, WeightFile

APACHE = "Apache-2.0"
NON_COMMERCIAL = "CC BY-NC-SA 4.0 (non-commercial)"
NVIDIA_OPEN = "NVIDIA Open Model License, and Apache-2.0"
UNKNOWN_LICENCE = "not recorded here; see the page it comes from"
HUGGING_FACE = "https://huggingface.co"


def _hub(repository: str, file: str) -> str:
    return f"{HUGGING_FACE}/{repository}/resolve/main/{file}"


def _kijai(file: str) -> str:
    return _hub("Kijai/WanVideo_comfy", file)


def _comfy_org(file: str) -> str:
    return _hub("Comfy-Org/Wan_2.1_ComfyUI_repackaged", f"split_files/{file}")


def _comfy_org_22(file: str) -> str:
    return _hub("Comfy-Org/Wan_2.2_ComfyUI_Repackaged", f"split_files/{file}")


_T2V_14B_FP8 = "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors"
_T2V_14B_BF16 = "wan2.1_t2v_14B_bf16.safetensors"
_T2V_14B_SIZES = {
    _T2V_14B_FP8: 14.9,
    _T2V_14B_BF16: 28.6,
    "wan2.1_t2v_14B_fp16.safetensors": 28.6,
    "wan2.1_t2v_14B_fp8_e4m3fn.safetensors": 14.3,
    "Wan2_1-T2V-14B_fp8_e5m2.safetensors": 14.9,
    "wan2.1_t2v_14B_fp8_scaled.safetensors": 14.3,
}


def _t2v_14b(first: str, url: str) -> WeightFile:
    sizes = dict(_T2V_14B_SIZES)
    size_gb = sizes.pop(first)
    return WeightFile(
        role="backbone",
        names=(first, *sizes),
        url=url,
        size_gb=size_gb,
        licence=APACHE,
        size="14B",
        other_sizes_gb=sizes,
    )


T2V_14B_FP8 = _t2v_14b(_T2V_14B_FP8, _kijai(_T2V_14B_FP8))
T2V_14B_BF16 = _t2v_14b(_T2V_14B_BF16, _comfy_org(f"diffusion_models/{_T2V_14B_BF16}"))
T2V_A14B_LOW = WeightFile(
    role="backbone",
    names=("wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors", "wan2.2_t2v_low_noise_14B_fp16.safetensors"),
    url=_comfy_org_22("diffusion_models/wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors"),
    size_gb=14.3,
    licence=APACHE,
    size="14B",
    expert="low",
    other_sizes_gb={"wan2.2_t2v_low_noise_14B_fp16.safetensors": 28.6},
)
T2V_A14B_HIGH = WeightFile(
    role="backbone",
    names=("wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors", "wan2.2_t2v_high_noise_14B_fp16.safetensors"),
    url=_comfy_org_22("diffusion_models/wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors"),
    size_gb=14.3,
    licence=APACHE,
    size="14B",
    expert="high",
    other_sizes_gb={"wan2.2_t2v_high_noise_14B_fp16.safetensors": 28.6},
)
T2V_A14B_SECOND = replace(T2V_A14B_LOW, role="low_noise")
CHRONOEDIT_14B = WeightFile(
    role="backbone",
    names=(
        "chrono_edit_14B_fp16.safetensors",
        "Wan2_1-I2V-14B_ChronoEdit_fp16.safetensors",
        "wan2.1_chrono_edit_14B_mbf16.safetensors",
        # As files that were made smaller are called.
        "chrono_edit_14B_bf16.safetensors",
        "chrono_edit_14B_fp8_e4m3fn.safetensors",
        "chrono_edit_14B_fp8_scaled.safetensors",
    ),
    url=_comfy_org_22("diffusion_models/chrono_edit_14B_fp16.safetensors"),
    size_gb=32.8,
    licence=NVIDIA_OPEN,
    size="14B",
    kind=Kind.IMAGE_BACKBONE,
)
VACE_14B = WeightFile(
    role="module",
    names=(
        "Wan2_1-VACE_module_14B_bf16.safetensors",
        "Wan2_1-VACE_module_14B_fp8_e4m3fn.safetensors",
        "Wan2_1-VACE-module-14B_fp8_e4m3fn_scaled_KJ.safetensors",
        "wan2.1_vace_14B_fp16.safetensors",
    ),
    url=_kijai("Wan2_1-VACE_module_14B_bf16.safetensors"),
    size_gb=6.1,
    licence=APACHE,
    size="14B",
    other_sizes_gb={
        "Wan2_1-VACE_module_14B_fp8_e4m3fn.safetensors": 3.05,
        "Wan2_1-VACE-module-14B_fp8_e4m3fn_scaled_KJ.safetensors": 3.05,
        "wan2.1_vace_14B_fp16.safetensors": 34.7,
    },
)

T2V_1_3B = WeightFile(
    role="backbone",
    names=(
        "Wan2_1-T2V-1_3B_bf16.safetensors",
        "wan2.1_t2v_1.3B_fp16.safetensors",
        "Wan2_1-T2V-1_3B_fp8_e4m3fn.safetensors",
    ),
    url=_kijai("Wan2_1-T2V-1_3B_bf16.safetensors"),
    size_gb=2.87,
    licence=APACHE,
    size="1.3B",
    other_sizes_gb={"Wan2_1-T2V-1_3B_fp8_e4m3fn.safetensors": 1.47},
)
VACE_1_3B = WeightFile(
    role="module",
    names=("Wan2_1-VACE_module_1_3B_bf16.safetensors", "wan2.1_vace_1.3B_fp16.safetensors"),
    url=_kijai("Wan2_1-VACE_module_1_3B_bf16.safetensors"),
    size_gb=1.5,
    licence=APACHE,
    size="1.3B",
)


def _ditto(name: str) -> WeightFile:
    """A Ditto module: VACE's with Ditto's LoRA merged in."""
    return WeightFile(
        role="module",
        names=(f"{name}.safetensors",),
        url=_hub("QingyanBai/Ditto_models", f"models_comfy/{name}.safetensors"),
        size_gb=6.1,
        licence=NON_COMMERCIAL,
        size="14B",
    )


DITTO_GLOBAL = _ditto("ditto_global_comfy")
DITTO_STYLE = _ditto("ditto_global_style_comfy")
DITTO_SIM2REAL = _ditto("ditto_sim2real_comfy")
DITTO_LOCAL_LORA = WeightFile(
    role="lora",
    names=("ditto_local.safetensors",),
    url=_hub("QingyanBai/Ditto_models", "models/ditto_local.safetensors"),
    size_gb=0.245,
    licence=NON_COMMERCIAL,
    size="14B",
)
CAUSVID_LORA = WeightFile(
    role="lora",
    names=("Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors",),
    url=_kijai("Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors"),
    size_gb=0.205,
    licence=NON_COMMERCIAL,  # tianweiy/CausVid issue 49
    size="14B",
)
CAUSVID_1_3B_LORA = WeightFile(
    role="lora",
    names=("Wan21_CausVid_bidirect2_T2V_1_3B_lora_rank32.safetensors",),
    url=_kijai("Wan21_CausVid_bidirect2_T2V_1_3B_lora_rank32.safetensors"),
    size_gb=0.091233416,  # to the byte
    licence=NON_COMMERCIAL,
    size="1.3B",
)
SELF_FORCING_LORA = WeightFile(
    role="lora",
    names=("Wan2.1_T2V_1.3B_SelfForcing_DMD-FP16-LoRA-Rank32.safetensors",),
    url=_hub(
        "lym00/Wan2.1_T2V_1.3B_SelfForcing_VACE",
        "Wan2.1_T2V_1.3B_SelfForcing_DMD-FP16-LoRA-Rank32.safetensors",
    ),
    size_gb=None,
    licence=UNKNOWN_LICENCE,
    size="1.3B",
)
LIGHTX2V_LORA = WeightFile(
    role="lora",
    names=(
        "wan2.1_t2v_14b_lora_rank64_lightx2v_4step.safetensors",
        "lightx2v_T2V_14B_cfg_step_distill_v2_lora_rank64_bf16.safetensors",
        "Wan21_T2V_14B_lightx2v_cfg_step_distill_lora_rank32.safetensors",
    ),
    url=_hub("lightx2v/Wan2.1-Distill-Loras", "wan2.1_t2v_14b_lora_rank64_lightx2v_4step.safetensors"),
    size_gb=0.631,
    licence=UNKNOWN_LICENCE,
    size="14B",
    other_sizes_gb={"lightx2v_T2V_14B_cfg_step_distill_v2_lora_rank64_bf16.safetensors": 0.63},
)
VIDEOCOF_LORA = WeightFile(
    role="lora",
    names=("videocof.safetensors",),
    url=_hub("XiangpengYang/VideoCoF", "videocof.safetensors"),
    size_gb=None,
    licence=APACHE,
    size="14B",
)
FUSIONX_LORA = WeightFile(
    role="lora",
    names=("Wan2.1_Text_to_Video_14B_FusionX_LoRA.safetensors",),
    url=_hub("MonsterMMORPG/Wan_GGUF", "Wan2.1_Text_to_Video_14B_FusionX_LoRA.safetensors"),
    size_gb=None,
    licence=UNKNOWN_LICENCE,
    size="14B",
)


def _reco(name: str) -> WeightFile:
    """A LoRA of ReCo for backbone and edit module, as published, or as `reelpatch convert` leaves it."""
    return WeightFile(
        role="lora",
        names=(f"{name}.ckpt", f"{name}.safetensors"),
        url=_hub("HiDream-ai/ReCo", f"{name}.ckpt"),
        size_gb=None,
        licence=UNKNOWN_LICENCE,
        size="1.3B",
    )


RECO_LORA = _reco("ReCo_ori_rank128-2025_m12_version")
RECO_REF_LORA = _reco("ReCo_ref_rank256-2026_m4_version")
BERNINI_1_3B = WeightFile(
    role="backbone",
    names=("wan2.1_bernini_1.3B_fp16.safetensors",),
    url=_hub("Comfy-Org/Bernini-R", "diffusion_models/wan2.1_bernini_1.3B_fp16.safetensors"),
    size_gb=2.84,
    licence=APACHE,
    size="1.3B",
)


def _bernini_14b(expert: str) -> WeightFile:
    first, second = (f"wan2.2_bernini_r_{expert}_noise_{form}.safetensors" for form in ("fp8_scaled", "fp16"))
    return WeightFile(
        role="backbone" if expert == "high" else "low_noise",
        names=(first, second),
        url=_hub("Comfy-Org/Bernini-R", f"diffusion_models/{first}"),
        size_gb=15.57,
        licence=APACHE,
        size="14B",
        expert=expert,
        other_sizes_gb={second: 28.6},
    )


BERNINI_14B_HIGH = _bernini_14b("high")
BERNINI_14B_LOW = _bernini_14b("low")
CHRONOEDIT_LORA = WeightFile(
    role="lora",
    names=(
        "chronoedit_distill_lora.safetensors",
        "Wan_2_1_I2V_14B_ChronoEdit_distill_lora_rank32.safetensors",
    ),
    url=_comfy_org_22("loras/chronoedit_distill_lora.safetensors"),
    size_gb=0.376,
    licence=NVIDIA_OPEN,
    size="14B",
)


def _chronoedit_lora(file: str, repository: str) -> WeightFile:
    return WeightFile(
        role="lora", names=(file,), url=_hub(repository, file), size_gb=None, licence=NVIDIA_OPEN, size="14B"
    )


# Published by NVIDIA, whose pages were reported gone since; no copy of these two is known.
CHRONOEDIT_UPSCALE_LORA = _chronoedit_lora(
    "upsample_lora_diffusers.safetensors", "nvidia/ChronoEdit-14B-Diffusers-Upscaler-Lora"
)
CHRONOEDIT_PAINT_LORA = _chronoedit_lora(
    "paintbrush_lora_diffusers.safetensors", "nvidia/ChronoEdit-14B-Diffusers-Paint-Brush-Lora"
)
WAN_VAE = WeightFile(
    role="vae",
    names=(
        "Wan2_1_VAE_bf16.safetensors",
        "wan_2.1_vae.safetensors",
        "Wan2_1_VAE_fp32.safetensors",
        "Wan2.1_VAE.pth",
    ),
    url=_kijai("Wan2_1_VAE_bf16.safetensors"),
    size_gb=0.254,
    licence=APACHE,
    other_sizes_gb={"wan_2.1_vae.safetensors": 0.254, "Wan2_1_VAE_fp32.safetensors": 0.508},
)
UMT5_XXL = WeightFile(
    role="text_encoder",
    names=(
        "umt5-xxl-enc-bf16.safetensors",
        "umt5_xxl_fp16.safetensors",
        "umt5-xxl-enc-fp8_e4m3fn.safetensors",
        "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        "models_t5_umt5-xxl-enc-bf16.pth",
    ),
    url=_kijai("umt5-xxl-enc-bf16.safetensors"),
    size_gb=11.4,
    licence=APACHE,
    other_sizes_gb={
        "umt5_xxl_fp16.safetensors": 11.4,
        "umt5-xxl-enc-fp8_e4m3fn.safetensors": 6.7,
        "umt5_xxl_fp8_e4m3fn_scaled.safetensors": 6.735906897,  # to the byte
        "models_t5_umt5-xxl-enc-bf16.pth": 11.4,
    },
)
TI2V_5B = WeightFile(
    role="backbone",
    names=("wan2.2_ti2v_5B_fp16.safetensors",),
    url=_comfy_org_22("diffusion_models/wan2.2_ti2v_5B_fp16.safetensors"),
    size_gb=10.0,
    licence=APACHE,
    size="5B",
    kind=Kind.WIDE_BACKBONE,
)
WAN22_VAE = WeightFile(
    role="vae",
    names=("wan2.2_vae.safetensors",),
    url=_comfy_org_22("vae/wan2.2_vae.safetensors"),
    size_gb=1.41,
    licence=APACHE,
    kind=Kind.VAE22,
)
EASYV2V_ADAPTER = WeightFile(
    role="module",
    names=("easyv2v_adapter.safetensors",),
    url="",
    size_gb=None,
    licence="as its file says",
    size="5B",
    kind=Kind.EDIT_ADAPTER,
    unpublished="EasyV2V's authors published no weights: train an edit adapter in the format of docs/files.md",
)
CLIP_VISION_H = WeightFile(
    role="clip_vision",
    names=("clip_vision_h.safetensors",),
    url=_comfy_org("clip_vision/clip_vision_h.safetensors"),
    size_gb=None,
    licence=UNKNOWN_LICENCE,
)


_CONVERTED_GB = {"bf16": (34.7, 28.6, 6.1), "fp8": (17.6, 14.5, 3.1), "fp8_scaled": (17.6, 14.5, 3.1)}


def vdot(role: Role) -> WeightFile:
    """VDOT as it is published, backbone and edit module merged in one pickle, or as `reelpatch convert` leaves it."""
    part, of_part = ("base", 1) if role == "backbone" else ("module", 2)
    sizes = {f"vdot_14b_{part}_{dtype}.safetensors": gb[of_part] for dtype, gb in _CONVERTED_GB.items()}
    sizes |= {f"vdot_14b_{dtype}.safetensors": gb[0] for dtype, gb in _CONVERTED_GB.items()}
    return WeightFile(
        role=role,
        names=("vdot_14b.pt", *sizes, "vdot_14b.safetensors"),
        url=_hub("yutongwang1012/VDOT", "vdot-weights/vdot_14b.pt"),
        size_gb=None,
        licence=UNKNOWN_LICENCE,
        size="14B",
        other_sizes_gb=sizes,
    )


def shipped(role: Role, *names: str) -> WeightFile:
    """A file that comes with this package, whose names begin with `SHIPPED_PREFIX`."""
    return WeightFile(role=role, names=names, url="", size_gb=None, licence=APACHE)
