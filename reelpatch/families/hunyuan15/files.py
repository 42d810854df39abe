"""The kinds of weight files that HunyuanVideo-1.5 brings, and the keys by which each is known."""

from reelpatch.families.kinds import FileKind
from reelpatch.families.mark import Mark

TERRITORY = "its licence does not hold in the European Union, the United Kingdom and South Korea, and asks that its notice goes with it"
"""What OmniWeaving's licence says of places, as a clause."""


class HunyuanFile(FileKind):
    """As `Kind`, of this family."""

    BACKBONE = (
        "a HunyuanVideo-1.5 transformer",
        "diffusion_models",
        "the HunyuanVideo-1.5 VAE, Qwen2.5-VL-7B, byT5 and SigLIP; the recipe capybara where it is Capybara",
    )
    UPSCALER = (
        "a HunyuanVideo-1.5 transformer for super-resolution",
        "diffusion_models",
        "ComfyUI's nodes for HunyuanVideo-1.5 super-resolution; it edits nothing",
    )
    OMNIWEAVING = (
        "an OmniWeaving transformer on HunyuanVideo-1.5",
        "diffusion_models",
        f"workflows made for it, with its own Qwen2.5-VL-7B; {TERRITORY}",
    )
    VAE = (
        "a HunyuanVideo-1.5 VAE of 32 channels",
        "vae",
        "HunyuanVideo-1.5 transformers and the recipe capybara",
    )
    QWEN = (
        "a Qwen2.5-VL text encoder",
        "text_encoders",
        "HunyuanVideo-1.5 and the recipe capybara, where it is the one of 7B; Wan needs UMT5",
    )
    BYT5 = (
        "a byT5 text encoder for quoted text (Glyph)",
        "text_encoders",
        "HunyuanVideo-1.5 and the recipe capybara, beside Qwen2.5-VL-7B",
    )
    SIGLIP = (
        "a SigLIP picture encoder",
        "clip_vision",
        "HunyuanVideo-1.5 and the recipe capybara; image-to-video models of Wan need CLIP ViT-H",
    )


_VISION_NORM = "vision_model.encoder.layers.0.layer_norm1.weight"
_T5_KEYS = "encoder.block.0.layer.0.SelfAttention.k.weight"
_QWEN_KEYS = ("layers.0.self_attn.k_proj.bias", "visual.blocks.0.norm1.weight")
_TRANSFORMER = ("x_embedder.proj.weight", "cond_type_embed.weight")
_UPSCALER_CHANNELS, _GLYPH_VOCABULARY, _QWEN_7B_KEYS = 98, 1510, 512
_MEAN_FLOW = "time_embed.timestep_embedder_r.linear_1.weight"

# By native names. Source: ComfyUI 0.33 (model_detection.py, sd.py), diffusers 0.42, and the repository of OmniWeaving.
MARKS = (
    Mark(HunyuanFile.OMNIWEAVING, "", (*_TRANSFORMER, "mm_in.linear_1.weight")),
    Mark(HunyuanFile.UPSCALER, "", _TRANSFORMER, 1, _UPSCALER_CHANNELS),
    Mark(HunyuanFile.BACKBONE, "8.3B, with mean flow, as step-distilled ones have", (*_TRANSFORMER, _MEAN_FLOW), 0, 2048),
    Mark(HunyuanFile.BACKBONE, "8.3B, for clips of texts or pictures, or Capybara", _TRANSFORMER, 0, 2048),
    Mark(HunyuanFile.BACKBONE, "another size", _TRANSFORMER),
    Mark(HunyuanFile.VAE, "", ("decoder.conv_in.conv.weight", "encoder.conv_in.conv.weight"), 1, 32),
    Mark(HunyuanFile.BYT5, "", ("shared.weight", _T5_KEYS), 0, _GLYPH_VOCABULARY),
    Mark(HunyuanFile.BYT5, "", ("encoder.embed_tokens.weight", _T5_KEYS), 0, _GLYPH_VOCABULARY),
    Mark(HunyuanFile.QWEN, "7B", _QWEN_KEYS, 0, _QWEN_7B_KEYS),
    Mark(HunyuanFile.QWEN, "another size", _QWEN_KEYS),
    Mark(HunyuanFile.SIGLIP, "", (_VISION_NORM, "vision_model.embeddings.patch_embedding.bias"), 0),
)  # fmt: skip
