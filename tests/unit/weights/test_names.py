"""Every key of full-size models has exactly one name in each naming, and the lookups undo each other."""

from collections.abc import Callable, Iterable

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from hypothesis import given
from hypothesis import strategies as st
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.weights import names

_PAIRS = {
    "transformer": (names.diffusers_to_native, names.native_to_diffusers),
    "vae": (names.vae_diffusers_to_native, names.vae_native_to_diffusers),
    "umt5": (names.umt5_hf_to_wan, names.umt5_wan_to_hf),
}


def _vace_14b() -> Iterable[str]:
    return WanVACETransformer3DModel(vace_layers=list(range(0, 40, 5)), vace_in_channels=96).state_dict()


def _flf2v_14b() -> Iterable[str]:
    return WanTransformer3DModel(
        in_channels=36, image_dim=1280, added_kv_proj_dim=5120, pos_embed_seq_len=514
    ).state_dict()


def _umt5_xxl() -> Iterable[str]:
    model = UMT5EncoderModel(UMT5Config(num_layers=24))
    return (key for key in model.state_dict() if key != "encoder.embed_tokens.weight")  # shared.weight again


@pytest.mark.parametrize(
    ("table", "keys", "count"),
    [
        ("transformer", _vace_14b, 1331),
        ("transformer", _flf2v_14b, 1304),
        ("vae", lambda: AutoencoderKLWan().state_dict(), 194),
        ("umt5", _umt5_xxl, 242),
    ],
)
def test_each_key_of_a_full_model_goes_there_and_back(
    table: str, keys: Callable[[], Iterable[str]], count: int
) -> None:
    with torch.device("meta"):
        foreign = list(keys())
    to_native, from_native = _PAIRS[table]
    native = [to_native(key) for key in foreign]
    assert len(set(native)) == len(foreign) == count
    assert [from_native(key) for key in native] == foreign


@pytest.mark.parametrize(
    ("native", "diffusers"),
    [
        ("blocks.39.norm3.weight", "blocks.39.norm2.weight"),
        ("blocks.7.modulation", "blocks.7.scale_shift_table"),
        ("head.modulation", "scale_shift_table"),
        ("head.head.bias", "proj_out.bias"),
        ("blocks.0.self_attn.o.weight", "blocks.0.attn1.to_out.0.weight"),
        ("blocks.0.cross_attn.norm_q.weight", "blocks.0.attn2.norm_q.weight"),
        ("blocks.12.ffn.0.bias", "blocks.12.ffn.net.0.proj.bias"),
        ("vace_blocks.0.before_proj.weight", "vace_blocks.0.proj_in.weight"),
        ("vace_blocks.7.after_proj.weight", "vace_blocks.7.proj_out.weight"),
        ("time_projection.1.weight", "condition_embedder.time_proj.weight"),
        ("blocks.3.cross_attn.q", "blocks.3.attn2.to_q"),
    ],
)
def test_the_names_that_are_easy_to_get_wrong(native: str, diffusers: str) -> None:
    assert names.native_to_diffusers(native) == diffusers
    assert names.diffusers_to_native(diffusers) == native


def test_vae_upsampling_levels() -> None:
    assert (
        names.vae_native_to_diffusers("decoder.upsamples.11.resample.1.weight")
        == "decoder.up_blocks.2.upsamplers.0.resample.1.weight"
    )
    assert (
        names.vae_native_to_diffusers("decoder.upsamples.4.shortcut.weight")
        == "decoder.up_blocks.1.resnets.0.conv_shortcut.weight"
    )
    assert names.vae_native_to_diffusers("conv2.bias") == "post_quant_conv.bias"


def test_umt5_gate_and_bias() -> None:
    assert (
        names.umt5_wan_to_hf("blocks.23.ffn.gate.0.weight")
        == "encoder.block.23.layer.1.DenseReluDense.wi_0.weight"
    )
    assert (
        names.umt5_wan_to_hf("blocks.0.pos_embedding.embedding.weight")
        == "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    )


@given(st.sampled_from([*_PAIRS.values()]), st.text("abc.01weight_", max_size=30))
def test_a_name_is_either_undone_by_the_other_direction_or_refused(
    pair: tuple[names.Naming, names.Naming], key: str
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
        names.native_to_diffusers(key)


@pytest.mark.parametrize("prefix", ["", "model.", "diffusion_model.", "model.diffusion_model."])
def test_wrapper_prefixes_come_off(prefix: str) -> None:
    assert names.strip_prefix(f"{prefix}blocks.0.ffn.0.weight") == "blocks.0.ffn.0.weight"
