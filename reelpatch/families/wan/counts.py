"""How Wan's models are counted: those that were published by their names, others from their headers."""

import re
from collections.abc import Sequence
from dataclasses import replace

from reelpatch.families.counts import FamilySizes, Header
from reelpatch.families.wan.sizes import WAN_1_3B, WAN_14B
from reelpatch.families.wan.text_counts import UMT5_XXL, TextEncoderSizes
from reelpatch.families.wan.transformer_counts import I2V_14B, T2V_1_3B, T2V_14B, TI2V_5B, Transformer
from reelpatch.families.wan.vae_counts import WAN22_VAE, WAN_VAE, VaeSizes, WideVaeSizes

_DEMO = FamilySizes(
    Transformer(dim=128, ffn_dim=512, num_blocks=8),
    VaeSizes(base_dim=16),
    TextEncoderSizes(
        vocabulary=64, dim=64, attention_dim=64, num_heads=4, ffn_dim=128, num_blocks=2, num_buckets=32
    ),
    module_blocks=4,
)
# How published names of backbones tell which model they hold.
_PUBLISHED = (
    (re.compile(r"14B"), FamilySizes(T2V_14B, WAN_VAE, UMT5_XXL, WAN_14B.num_vace_blocks)),
    (re.compile(r"1[._]3B"), FamilySizes(T2V_1_3B, WAN_VAE, UMT5_XXL, WAN_1_3B.num_vace_blocks)),
    (re.compile(r"5B"), FamilySizes(TI2V_5B, WAN22_VAE, UMT5_XXL)),
    (re.compile(r"_demo_"), _DEMO),
)


class WanCounts:
    """As `FamilyCounts`."""

    matrix = "blocks.0.self_attn.q.weight"
    text_matrix = "blocks.0.attn.q.weight"

    def published(self, names: Sequence[str], *, sees_pictures: bool) -> FamilySizes | None:
        for pattern, sizes in _PUBLISHED:
            if any(pattern.search(name) for name in names):
                return replace(sizes, backbone=I2V_14B) if sees_pictures else sizes
        return None

    def backbone(self, file: Header) -> Transformer:
        width, in_channels = file.shape("patch_embedding.weight")[:2]
        return Transformer(
            dim=width,
            ffn_dim=file.shape("blocks.0.ffn.0.bias")[0],
            num_blocks=file.count("blocks"),
            in_channels=in_channels,
            out_channels=file.shape("head.head.bias")[0] // 4,
            text_dim=file.shape("text_embedding.0.weight")[1],
            has_image_tokens="img_emb.proj.1.weight" in file.keys,
        )

    def vae(self, file: Header) -> VaeSizes:
        width, channels = file.shape("encoder.conv1.weight")[:2]
        latent_channels = file.shape("conv2.weight")[0]
        if channels == VaeSizes().patch_px * 3:
            return VaeSizes(width, latent_channels)
        return WideVaeSizes(
            latent_channels=latent_channels,
            base_dim=width,
            decoder_dim=file.shape("decoder.head.0.gamma")[0],
        )

    def text(self, file: Header) -> TextEncoderSizes:
        vocabulary, dim = file.shape("token_embedding.weight")
        num_buckets, num_heads = file.shape("blocks.0.pos_embedding.embedding.weight")
        return TextEncoderSizes(
            vocabulary=vocabulary,
            dim=dim,
            attention_dim=file.shape("blocks.0.attn.q.weight")[0],
            num_heads=num_heads,
            ffn_dim=file.shape("blocks.0.ffn.fc1.weight")[0],
            num_blocks=file.count("blocks"),
            num_buckets=num_buckets,
        )
