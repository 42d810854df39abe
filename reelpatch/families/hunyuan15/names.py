"""How the layers of HunyuanVideo-1.5's models are called in each naming; the names used here are diffusers'.

A row pairs one of diffusers' names with those of the original files and of ComfyUI's, `#` stands for a block number. Files
that keep queries, keys and values in one matrix have `to_qkv` and `to_added_qkv`, as diffusers calls them fused. Source: the state
dicts of Tencent's HunyuanVideo-1.5, of ComfyUI's classes (0.33) and of diffusers 0.42.
"""

from collections.abc import Iterator

from reelpatch.families.naming import KeyTable, Naming

NATIVE, DIFFUSERS = "native", "diffusers"

_MLP = (("linear_1", "0", "in_layer"), ("linear_2", "2", "out_layer"))
_FEED_FORWARD = (("net.0.proj", "fc1", "0"), ("net.2", "fc2", "2"))
_VAE_RESNET = ("norm1", "conv1.conv", "norm2", "conv2.conv")
_MOST_LAYERS = 4  # of one stage of the VAE


def _embedders() -> Iterator[tuple[str, ...]]:
    yield "x_embedder.proj", "img_in.proj"
    yield "cond_type_embed", "cond_type_embedding"
    for name, other in (
        ("time_embed.timestep_embedder", "time_in"),
        ("time_embed.timestep_embedder_r", "time_r_in"),
        ("context_embedder.time_text_embed.timestep_embedder", "txt_in.t_embedder"),
    ):
        for layer, original, comfy in _MLP:
            yield f"{name}.{layer}", f"{other}.mlp.{original}", f"{other}.{comfy}"
    text = "context_embedder.time_text_embed.text_embedder"
    for layer, _, comfy in _MLP:
        yield f"{text}.{layer}", f"txt_in.c_embedder.{layer}", f"txt_in.c_embedder.{comfy}"
    yield "context_embedder.proj_in", "txt_in.input_embedder"
    yield "context_embedder_2.norm", "byt5_in.layernorm"
    for number in "123":
        yield f"context_embedder_2.linear_{number}", f"byt5_in.fc{number}"
    for layer, number in (("norm_in", 0), ("linear_1", 1), ("linear_2", 3), ("norm_out", 4)):
        yield f"image_embedder.{layer}", f"vision_in.proj.{number}"
    yield "norm_out.linear", "final_layer.adaLN_modulation.1"
    yield "proj_out", "final_layer.linear"


def _refiner() -> Iterator[tuple[str, ...]]:
    own, other = "context_embedder.token_refiner.refiner_blocks.#", "txt_in.individual_token_refiner.blocks.#"
    for norm in ("norm1", "norm2"):
        yield f"{own}.{norm}", f"{other}.{norm}"
    yield f"{own}.attn.to_qkv", f"{other}.self_attn_qkv", f"{other}.self_attn.qkv"
    yield f"{own}.attn.to_out.0", f"{other}.self_attn_proj", f"{other}.self_attn.proj"
    for layer, original, comfy in _FEED_FORWARD:
        yield f"{own}.ff.{layer}", f"{other}.mlp.{original}", f"{other}.mlp.{comfy}"
    yield f"{own}.norm_out.linear", f"{other}.adaLN_modulation.1"


def _stream(
    original: str, layers: tuple[str, ...], norm: str, feed_forward: str
) -> Iterator[tuple[str, ...]]:
    """Of the pictures' stream of a block, or of the text's: queries, keys, values, their norms, all in one, and out."""
    own, other = "transformer_blocks.#", f"double_blocks.#.{original}"
    query, key, value, query_norm, key_norm, fused, out = layers
    yield f"{own}.{norm}.linear", f"{other}_mod.linear", f"{other}_mod.lin"
    for name, part in ((query, "q"), (key, "k"), (value, "v")):
        yield f"{own}.attn.{name}", f"{other}_attn_{part}"
    for name, part, comfy in ((query_norm, "q", "query_norm"), (key_norm, "k", "key_norm")):
        yield f"{own}.attn.{name}", f"{other}_attn_{part}_norm", f"{other}_attn.norm.{comfy}"
    yield f"{own}.attn.{fused}", f"{other}_attn_qkv", f"{other}_attn.qkv"
    yield f"{own}.attn.{out}", f"{other}_attn_proj", f"{other}_attn.proj"
    for layer, first, comfy in _FEED_FORWARD:
        yield f"{own}.{feed_forward}.{layer}", f"{other}_mlp.{first}", f"{other}_mlp.{comfy}"


def _vae() -> Iterator[tuple[str, ...]]:
    for half, ways in (("encoder", ("down", "downsample")), ("decoder", ("up", "upsample"))):
        stage, resample = ways
        for number in range(_MOST_LAYERS):
            own, other = f"{half}.{stage}_blocks.#.resnets.{number}", f"{half}.{stage}.#.block.{number}"
            yield from ((f"{own}.{layer}", f"{other}.{layer}") for layer in _VAE_RESNET)
            yield f"{own}.conv_shortcut", f"{other}.nin_shortcut", f"{other}.nin_shortcut.conv"
        yield f"{half}.{stage}_blocks.#.{resample}rs.0.conv.conv", f"{half}.{stage}.#.{resample}.conv.conv"
        for number in range(2):
            own, other = f"{half}.mid_block.resnets.{number}", f"{half}.mid.block_{number + 1}"
            yield from ((f"{own}.{layer}", f"{other}.{layer}") for layer in _VAE_RESNET)
        attention, other = f"{half}.mid_block.attentions.0", f"{half}.mid.attn_1"
        yield from ((f"{attention}.to_{part}", f"{other}.{part}") for part in "qkv")
        yield from ((f"{attention}.{part}", f"{other}.{part}") for part in ("norm", "proj_out"))
        yield from (
            (f"{half}.{name}", f"{half}.{name}") for name in ("conv_in.conv", "norm_out", "conv_out.conv")
        )


TRANSFORMER_ROWS = (
    *_embedders(),
    *_refiner(),
    *_stream("img", ("to_q", "to_k", "to_v", "norm_q", "norm_k", "to_qkv", "to_out.0"), "norm1", "ff"),
    *_stream(
        "txt",
        (
            "add_q_proj",
            "add_k_proj",
            "add_v_proj",
            "norm_added_q",
            "norm_added_k",
            "to_added_qkv",
            "to_add_out",
        ),
        "norm1_context",
        "ff_context",
    ),
)
VAE_ROWS = tuple(_vae())
FUSED = {
    "to_qkv": ("to_q", "to_k", "to_v"),
    "to_added_qkv": ("add_q_proj", "add_k_proj", "add_v_proj"),
}
"""The layers that one of them stands for, by thirds of its rows."""
SWAPPED = "norm_out.linear"
"""Whose halves stand the other way round in diffusers: scale, then shift."""


def _table(rows: tuple[tuple[str, ...], ...]) -> Naming:
    return Naming({other: own for own, *others in rows for other in others})


TABLES = (
    KeyTable(NATIVE, ("img_in.proj.weight", "cond_type_embedding.weight"), _table(TRANSFORMER_ROWS)),
    KeyTable(DIFFUSERS, ("x_embedder.proj.weight", "cond_type_embed.weight"), None),
    KeyTable(NATIVE, ("decoder.conv_in.conv.weight", "decoder.mid.attn_1.q.weight"), _table(VAE_ROWS)),
    KeyTable(DIFFUSERS, ("decoder.conv_in.conv.weight", "decoder.mid_block.attentions.0.to_q.weight"), None),
    # transformers 5 puts the language model and the one that sees side by side.
    KeyTable(
        "Hugging Face",
        ("language_model.layers.0.self_attn.k_proj.bias", "visual.blocks.0.norm1.weight"),
        None,
        left_off="language_model.",
    ),
)
