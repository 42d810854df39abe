"""Every key of a model of any size has exactly one name in each naming, and the lookups undo each other."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.families import naming
from reelpatch.families.wan import names as wan_names
from reelpatch.weights import names

_PAIRS = {
    "transformer": (wan_names.diffusers_to_native, wan_names.native_to_diffusers),
    "vae": (wan_names.vae_diffusers_to_native, wan_names.vae_native_to_diffusers),
    "vae22": (wan_names.vae22_diffusers_to_native, wan_names.vae22_native_to_diffusers),
    "umt5": (wan_names.umt5_hf_to_wan, wan_names.umt5_wan_to_hf),
}
_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.", "")
State = dict[str, Tensor]

# What the published models differ in (the Fun-VACE modules of Wan2.2 have VACE's own names and sizes).
WIDTHS: dict[str, dict[str, int]] = {
    "1.3B": {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30},
    "14B": {"num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40},
    "5B": {
        "num_attention_heads": 24,
        "ffn_dim": 14336,
        "num_layers": 30,
        "in_channels": 48,
        "out_channels": 48,
    },
}
VAE22: dict[str, Any] = {
    **{"z_dim": 48, "is_residual": True, "in_channels": 12, "out_channels": 12, "patch_size": 2},
    **{"scale_factor_spatial": 16, "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48},
}


def transformer(size: str = "14B", **options: Any) -> State:
    """Keys and shapes of a backbone, without memory; VACE-merged where `vace_layers` are among the options."""
    kind = WanVACETransformer3DModel if "vace_layers" in options else WanTransformer3DModel
    with torch.device("meta"):
        return dict(kind(**(WIDTHS[size] | options)).state_dict())


def vae(**options: Any) -> State:
    with torch.device("meta"):
        return dict(AutoencoderKLWan(**options).state_dict())


def umt5(**options: Any) -> State:
    with torch.device("meta"):
        state = UMT5EncoderModel(UMT5Config(**options)).state_dict()
    return {
        key: tensor for key, tensor in state.items() if key != "encoder.embed_tokens.weight"
    }  # shared.weight


def num_parameters(state: State) -> int:
    return sum(math.prod(tensor.shape) for tensor in state.values())


def check_bijection(table: str, foreign: Iterable[str]) -> None:
    """There and back again, two keys never to one, and every prefix comes off either naming."""
    to_native, from_native = _PAIRS[table]
    foreign = list(foreign)
    native = [to_native(key) for key in foreign]
    assert len(set(native)) == len(foreign)
    assert [from_native(key) for key in native] == foreign
    for prefix in _PREFIXES:
        assert [names.strip_prefix(prefix + key) for key in (*native, *foreign)] == [*native, *foreign]


_I2V = {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}


@pytest.mark.parametrize(
    ("table", "model", "options", "num_keys", "num_params"),
    [
        ("transformer", transformer, {"size": "1.3B"}, 825, 1_418_996_800),
        ("transformer", transformer, {}, 1095, 14_288_491_584),
        ("transformer", transformer, {"size": "5B"}, 825, 4_999_787_712),
        ("transformer", transformer, _I2V, 1303, 16_394_878_784),
        ("transformer", transformer, _I2V | {"pos_embed_seq_len": 514}, 1304, 16_395_536_704),
        ("transformer", transformer, {"in_channels": 36}, 1095, 14_288_901_184),
        (
            "transformer",
            transformer,
            {"vace_layers": list(range(0, 40, 5)), "vace_in_channels": 96},
            1331,
            14_288_491_584 + 3_049_101_312,
        ),
        (
            "transformer",
            transformer,
            {"size": "1.3B", "vace_layers": list(range(0, 30, 2)), "vace_in_channels": 96},
            1264,
            1_418_996_800 + 734_975_232,
        ),
        ("vae", vae, {}, 194, 126_892_531),
        ("vae22", vae, VAE22 | {"base_dim": 160, "decoder_base_dim": 256}, 196, 704_688_668),
        ("umt5", umt5, {"num_layers": 24, "vocab_size": 256384, "d_model": 4096, "d_ff": 10240}, 242, None),
    ],
    ids=[
        "1.3B",
        "14B",
        "5B",
        "I2V",
        "FLF2V",
        "A14B-I2V",
        "VACE-14B",
        "VACE-1.3B",
        "VAE2.1",
        "VAE2.2",
        "UMT5-XXL",
    ],
)
def test_each_key_of_a_published_model_goes_there_and_back(
    table: str, model: Callable[..., State], options: dict[str, Any], num_keys: int, num_params: int | None
) -> None:
    state = model(**options)
    assert len(state) == num_keys
    assert (
        num_params is None or num_parameters(state) == num_params
    )  # so these are the published models' keys
    check_bijection(table, state)


@settings(max_examples=20, deadline=None)
@given(
    num_layers=st.integers(1, 4),
    image=st.sampled_from([{}, {"image_dim": 8, "added_kv_proj_dim": 128}]),
    positions=st.sampled_from([None, 514]),
    num_vace=st.integers(0, 4),
)
def test_a_backbone_of_any_make_up_has_one_name_per_key(
    num_layers: int, image: dict[str, int], positions: int | None, num_vace: int
) -> None:
    options: dict[str, Any] = {"num_layers": num_layers, "num_attention_heads": 1, "ffn_dim": 8, **image}
    if image:
        options["pos_embed_seq_len"] = positions
    if num_vace:
        options |= {"vace_layers": list(range(min(num_vace, num_layers))), "vace_in_channels": 96}
    check_bijection("transformer", transformer(**options))


@settings(max_examples=15, deadline=None)
@given(is_new=st.booleans(), dim=st.integers(1, 4), temporal=st.lists(st.booleans(), min_size=3, max_size=3))
def test_a_vae_of_any_make_up_has_one_name_per_key(is_new: bool, dim: int, temporal: list[bool]) -> None:
    options: dict[str, Any] = {"base_dim": 8 * dim, "temperal_downsample": temporal}
    if is_new:
        options |= VAE22 | {"decoder_base_dim": 16 * dim}
    check_bijection("vae22" if is_new else "vae", vae(**options))


@settings(max_examples=10, deadline=None)
@given(num_layers=st.integers(1, 30))
def test_a_text_encoder_of_any_depth_has_one_name_per_key(num_layers: int) -> None:
    check_bijection("umt5", umt5(num_layers=num_layers, d_model=8, d_kv=4, d_ff=8, num_heads=2, vocab_size=8))


@pytest.mark.parametrize("table", _PAIRS)
def test_no_two_rows_of_a_table_share_a_name(table: str) -> None:
    to_native, from_native = _PAIRS[table]
    assert {native: other for other, native in to_native.rows.items()} == from_native.rows
    assert len(to_native.rows) == len(from_native.rows)


@pytest.mark.parametrize(
    ("native", "diffusers"),
    [
        ("blocks.39.norm3.weight", "blocks.39.norm2.weight"),
        ("blocks.7.modulation", "blocks.7.scale_shift_table"),
        ("head.modulation", "scale_shift_table"),
        ("head.head.bias", "proj_out.bias"),
        ("blocks.0.self_attn.o.weight", "blocks.0.attn1.to_out.0.weight"),
        ("blocks.0.cross_attn.norm_q.weight", "blocks.0.attn2.norm_q.weight"),
        ("blocks.0.cross_attn.k_img.weight", "blocks.0.attn2.add_k_proj.weight"),
        ("blocks.0.cross_attn.norm_k_img.weight", "blocks.0.attn2.norm_added_k.weight"),
        ("img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"),
        ("img_emb.proj.4.weight", "condition_embedder.image_embedder.norm2.weight"),
        ("blocks.12.ffn.0.bias", "blocks.12.ffn.net.0.proj.bias"),
        ("vace_blocks.0.before_proj.weight", "vace_blocks.0.proj_in.weight"),
        ("vace_blocks.7.after_proj.weight", "vace_blocks.7.proj_out.weight"),
        ("vace_blocks.3.norm3.bias", "vace_blocks.3.norm2.bias"),
        ("time_projection.1.weight", "condition_embedder.time_proj.weight"),
        ("blocks.3.cross_attn.q", "blocks.3.attn2.to_q"),
    ],
)
def test_the_names_that_are_easy_to_get_wrong(native: str, diffusers: str) -> None:
    assert wan_names.native_to_diffusers(native) == diffusers
    assert wan_names.diffusers_to_native(diffusers) == native


@pytest.mark.parametrize(
    ("to_diffusers", "native", "diffusers"),
    [
        (
            wan_names.vae_native_to_diffusers,
            "decoder.upsamples.11.resample.1.weight",
            "decoder.up_blocks.2.upsamplers.0.resample.1.weight",
        ),
        (
            wan_names.vae_native_to_diffusers,
            "decoder.upsamples.4.shortcut.weight",
            "decoder.up_blocks.1.resnets.0.conv_shortcut.weight",
        ),
        (wan_names.vae_native_to_diffusers, "conv2.bias", "post_quant_conv.bias"),
        (
            wan_names.vae22_native_to_diffusers,
            "encoder.downsamples.1.downsamples.2.time_conv.bias",
            "encoder.down_blocks.1.downsampler.time_conv.bias",
        ),
        (
            wan_names.vae22_native_to_diffusers,
            "decoder.upsamples.3.upsamples.0.residual.6.weight",
            "decoder.up_blocks.3.resnets.0.conv2.weight",
        ),
        (
            wan_names.umt5_wan_to_hf,
            "blocks.23.ffn.gate.0.weight",
            "encoder.block.23.layer.1.DenseReluDense.wi_0.weight",
        ),
        (
            wan_names.umt5_wan_to_hf,
            "blocks.0.pos_embedding.embedding.weight",
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        ),
    ],
)
def test_names_of_vae_and_text_encoder(to_diffusers: naming.Naming, native: str, diffusers: str) -> None:
    assert to_diffusers(native) == diffusers


@given(st.sampled_from([*_PAIRS.values()]), st.text("abc.01weight_", max_size=30))
def test_a_name_is_either_undone_by_the_other_direction_or_refused(
    pair: tuple[naming.Naming, naming.Naming], key: str
) -> None:
    there, back = pair
    try:
        renamed = there(key)
    except KeyError:
        return
    assert back(renamed) == key


@pytest.mark.parametrize(
    "key", ["blocks.0.self_attn.q.scale_weight", "blocks.x.ffn.0.weight", "scaled_fp8", ""]
)
def test_unknown_names_are_refused(key: str) -> None:
    with pytest.raises(KeyError):
        wan_names.native_to_diffusers(key)


@pytest.mark.parametrize(
    "wrapped",
    [
        "model._fsdp_wrapped_module.blocks.0.ffn.0.weight",
        "model._fsdp_wrapped_module.blocks.0._fsdp_wrapped_module.ffn.0.weight",
        "_orig_mod.diffusion_model.blocks.0.ffn.0.weight",
    ],
)
def test_wrapping_modules_come_off(wrapped: str) -> None:
    assert names.strip_prefix(wrapped) == "blocks.0.ffn.0.weight"
