"""Models that are no Wan transformer, VAE or UMT5, recognised by the keys that only they have; as data."""

from collections.abc import Container, Mapping

from reelpatch.families.kinds import Kind
from reelpatch.families.mark import Mark
from reelpatch.families.tensor_info import TensorInfo

_VISION_NORM = "vision_model.encoder.layers.0.layer_norm1.weight"
_REFINER = "txt_in.individual_token_refiner.blocks.0.norm1.weight"
_T5_KEYS = "encoder.block.0.layer.0.SelfAttention.k.weight"
_LLM_NORM = "layers.0.post_attention_layernorm.weight"

# Keys are without the wrapper prefixes (`names.strip_prefix`); the first mark that fits counts.
# Source: ComfyUI 0.33 (model_detection.py, sd.py, clip_vision.py) and the models' own repositories.
MARKS = (
    Mark(Kind.HUNYUAN_VIDEO, "HunyuanVideo", (_REFINER,)),
    Mark(Kind.TINY_VAE, "16 latent channels", ("decoder.1.weight", "decoder.22.bias"), 1, 16),
    Mark(Kind.TINY_VAE, "48 latent channels", ("decoder.1.weight", "decoder.22.bias"), 1, 48),
    Mark(Kind.TINY_VAE, "", ("decoder.22.bias",)),
    Mark(Kind.OTHER_VAE, "HunyuanVideo, LTX or CogVideoX", ("decoder.conv_in.conv.weight",)),
    Mark(Kind.OTHER_VAE, "Stable Diffusion or FLUX", ("decoder.mid.block_1.norm1.weight",)),
    Mark(
        Kind.CLIP_VISION,
        "ViT-H, for Wan2.1 image-to-video",
        (_VISION_NORM, "vision_model.encoder.layers.30.layer_norm1.weight"),
        0,
        1280,
    ),
    Mark(Kind.CLIP_VISION, "ViT-L", (_VISION_NORM,), 0, 1024),
    Mark(Kind.CLIP_VISION, "", (_VISION_NORM,)),
    Mark(
        Kind.CLIP_VISION,
        "ViT-H in Wan's naming, for Wan2.1 image-to-video",
        ("visual.transformer.0.norm1.weight", "visual.patch_embedding.weight"),
    ),
    Mark(Kind.OTHER_TEXT_ENCODER, "a byT5 without Glyph's characters", (_T5_KEYS,), 0, 384),
    Mark(Kind.OTHER_TEXT_ENCODER, "T5-XXL of FLUX, SD3 and LTX; not UMT5", (_T5_KEYS,), 0, 4096),
    Mark(Kind.OTHER_TEXT_ENCODER, "a T5", (_T5_KEYS,)),
    Mark(Kind.OTHER_TEXT_ENCODER, "a language model", (_LLM_NORM,)),
    Mark(Kind.OTHER_TEXT_ENCODER, "CLIP", ("text_model.encoder.layers.0.mlp.fc1.weight",)),
    Mark(Kind.OTHER_MODEL, "FLUX", ("double_blocks.0.img_attn.norm.key_norm.scale",)),
    Mark(Kind.OTHER_MODEL, "FLUX", ("double_blocks.0.img_attn.norm.key_norm.weight",)),
    Mark(Kind.OTHER_MODEL, "Qwen-Image", ("transformer_blocks.0.img_mod.1.weight",)),
    Mark(
        Kind.OTHER_MODEL,
        "LTX-Video",
        ("transformer_blocks.0.attn2.k_norm.weight", "adaln_single.linear.weight"),
    ),
    Mark(Kind.OTHER_MODEL, "Stable Diffusion 3", ("joint_blocks.0.context_block.attn.qkv.weight",)),
    Mark(Kind.OTHER_MODEL, "Mochi", ("t5_yproj.weight",)),
    Mark(Kind.OTHER_MODEL, "Stable Diffusion or SDXL", ("input_blocks.0.0.weight",)),
)

# Wan backbones for other tasks have all of a backbone's keys, and these. Source: as above.
WAN_TASKS = (
    ("casual_audio_encoder.encoder.final_linear.weight", "S2V (speech)"),
    ("audio_proj.audio_proj_glob_1.layer.bias", "HuMo (audio)"),
    ("face_adapter.fuser_blocks.0.k_norm.weight", "Animate"),
    ("patch_embedding_mask.weight", "SCAIL-2 (poses)"),
    ("patch_embedding_pose.weight", "SCAIL (poses)"),
    ("patch_embedding_global.weight", "WanDancer"),
    ("control_adapter.conv.weight", "Fun-Camera"),
    ("ref_conv.weight", "Fun-Control"),
)


def find_mark(tensors: Mapping[str, TensorInfo]) -> Mark | None:
    """The first mark that fits tensors under keys without wrapper prefixes."""
    return next((mark for mark in MARKS if mark.fits(tensors)), None)


def wan_task(names: Container[str]) -> str:
    """What a Wan backbone with these native names is made for; empty for one that has no branch of its own."""
    return next((task for key, task in WAN_TASKS if key in names), "")
