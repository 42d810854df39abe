"""How HunyuanVideo-1.5's models are counted: those that were published by their names, others from their headers."""

import re
from collections.abc import Sequence

from reelpatch.families.counts import FamilySizes, Header
from reelpatch.families.hunyuan15.text_counts import QWEN_7B, SKIPPED_LAYERS, QwenSizes
from reelpatch.families.hunyuan15.transformer_counts import HUNYUAN_8B, HunyuanTransformer
from reelpatch.families.hunyuan15.vae_counts import HUNYUAN_VAE, HunyuanVaeSizes

_PUBLISHED = re.compile(r"hunyuanvideo1\.5_|capybara_", re.IGNORECASE)
_REFINERS = "context_embedder.token_refiner.refiner_blocks"
_MOST_LAYERS = 8  # of any stack that is counted one by one
_QWEN_HEAD_DIM = 128


class HunyuanCounts:
    """As `FamilyCounts`."""

    matrix = "transformer_blocks.0.ff.net.0.proj.weight"
    text_matrix = "layers.0.mlp.up_proj.weight"

    def published(self, names: Sequence[str], *, sees_pictures: bool) -> FamilySizes | None:  # noqa: ARG002 -- all see pictures
        if any(_PUBLISHED.match(name) for name in names):
            return FamilySizes(HUNYUAN_8B, HUNYUAN_VAE, QWEN_7B)
        return None

    def backbone(self, file: Header) -> HunyuanTransformer:
        dim, in_channels = file.shape("x_embedder.proj.weight")[:2]
        return HunyuanTransformer(
            dim=dim,
            num_blocks=file.count("transformer_blocks"),
            in_channels=in_channels,
            out_channels=file.shape("proj_out.bias")[0],
            head_dim=file.shape("transformer_blocks.0.attn.norm_q.weight")[0],
            text_dim=file.shape("context_embedder.proj_in.weight")[1],
            glyph_dim=file.shape("context_embedder_2.norm.weight")[0],
            vision_dim=file.shape("image_embedder.norm_in.weight")[0],
            num_refiners=_count(file, _REFINERS, "norm1.weight"),
            has_mean_flow="time_embed.timestep_embedder_r.linear_1.weight" in file.keys,
        )

    def vae(self, file: Header) -> HunyuanVaeSizes:
        stages = _count(file, "encoder.down_blocks", "resnets.0.conv1.conv.bias")
        widths = [
            file.shape(f"encoder.down_blocks.{stage}.resnets.0.conv1.conv.bias")[0] for stage in range(stages)
        ]
        return HunyuanVaeSizes(tuple(widths), file.shape("decoder.conv_in.conv.weight")[1])

    def text(self, file: Header) -> QwenSizes:
        vocabulary, dim = file.shape("embed_tokens.weight")
        return QwenSizes(
            vocabulary=vocabulary,
            dim=dim,
            kv_dim=file.shape("layers.0.self_attn.k_proj.weight")[0],
            num_heads=max(1, file.shape("layers.0.self_attn.q_proj.weight")[0] // _QWEN_HEAD_DIM),
            ffn_dim=file.shape("layers.0.mlp.up_proj.weight")[0],
            num_blocks=max(1, file.count("layers") - SKIPPED_LAYERS),
        )


def _count(file: Header, stack: str, inside: str) -> int:
    """How many there are of a stack that lies deeper than `Header.count` looks."""
    return next(number for number in range(_MOST_LAYERS + 1) if f"{stack}.{number}.{inside}" not in file.keys)
