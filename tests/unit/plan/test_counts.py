"""Counts equal the published ones, and those that PyTorch makes of diffusers' classes."""

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

from reelpatch.edits.vace.counts import VACE_1_3B, VACE_14B, EditModule
from reelpatch.families.counts import Flops
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.text_counts import UMT5_XXL, TextEncoderSizes
from reelpatch.families.wan.transformer_counts import I2V_14B, T2V_1_3B, T2V_14B, TI2V_5B, Transformer
from reelpatch.families.wan.vae_counts import CUBE, SQUARE, WAN_VAE, VaeSizes
from reelpatch.plan.picture_encoder import VIT_H, PictureEncoderSizes

TERA = 1e12


def tokens(frames: int, height: int, width: int, references: int = 0) -> int:
    return WAN.lattice.grid(
        *WAN.lattice.latent_shape(frames, (height, width), references=references)[1:]
    ).tokens


def tera(flops: Flops) -> tuple[float, float, float, float]:
    parts = (flops.linear, flops.self_attention, flops.cross_attention, flops.total)
    return tuple(round(part / TERA, 1) for part in parts)


def with_vace(module: EditModule, num_tokens: int) -> Flops:
    return module.backbone.flops(num_tokens) + module.flops(num_tokens)


@pytest.mark.parametrize(
    ("clip", "count"),
    [
        ((73, 480, 832), 29640),
        ((73, 464, 832), 28652),
        ((81, 480, 832), 32760),
        ((81, 720, 1280), 75600),
        ((73, 720, 1280), 68400),
        ((17, 480, 832), 7800),
        ((33, 480, 832), 14040),
        ((49, 480, 832), 20280),
        ((81, 480, 832, 1), 32760 + 1560),
        ((81, 720, 1280, 1), 75600 + 3600),
    ],
)
def test_tokens(clip: tuple[int, ...], count: int) -> None:
    assert tokens(*clip) == count


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (T2V_1_3B, 1_418_996_800),
        (T2V_14B, 14_288_491_584),
        (I2V_14B, 16_394_878_784),
        (TI2V_5B, 4_999_787_712),
        (VACE_1_3B, 734_975_232),
        (VACE_14B, 3_049_101_312),
    ],
)
def test_parameters(model: Transformer | EditModule, count: int) -> None:
    assert model.parameters.total == count


def test_parameters_of_the_parts() -> None:
    millions = [
        round(part.total / 1e6, 2)
        for part in (T2V_14B.block, VACE_14B.first_block, VACE_14B.block, T2V_14B.outside + VACE_14B.outside)
    ]
    assert millions == [351.39, 403.83, 377.61, 234.69]
    assert round((T2V_14B.parameters + VACE_14B.parameters).total / 1e9, 3) == 17.338
    streamed = T2V_14B.block * 40 + VACE_14B.first_block + VACE_14B.block * 7
    assert (round(streamed.total / 1e9, 2), round(2 * streamed.total / 1e9, 1)) == (17.10, 34.2)
    assert WAN_VAE.parameters == 126_892_531
    assert round(UMT5_XXL.parameters / 1e9, 2) == 5.68


@pytest.mark.parametrize(
    ("model", "num_tokens", "expected"),
    [
        (T2V_14B, 29640, (710.9, 719.7, 12.4, 1443.0)),
        (T2V_14B, 32760, (785.4, 879.2, 13.7, 1678.4)),
        (T2V_14B, 75600, (1809.7, 4682.0, 31.7, 6523.4)),
        (VACE_14B, 29640, (867.1, 863.6, 14.9, 1745.7)),
        (VACE_14B, 32760, (958.1, 1055.0, 16.5, 2029.6)),
        (VACE_14B, 75600, (2207.6, 5618.4, 38.1, 7864.1)),
        (VACE_14B, 34320, (1003.6, 1157.9, 17.3, 2178.8)),
        (VACE_14B, 28652, (838.3, 807.0, 14.4, 1659.7)),
        (I2V_14B, 32760, (786.6, 879.2, 20.6, 1686.4)),
        (T2V_1_3B, 29640, (74.3, 161.9, 2.8, 239.0)),
        (T2V_1_3B, 32760, (82.1, 197.8, 3.1, 283.0)),
        (VACE_1_3B, 29640, (113.7, 242.9, 4.2, 360.8)),
        (VACE_1_3B, 32760, (125.6, 296.7, 4.6, 427.0)),
        (TI2V_5B, 8190, (71.7, 24.7, 1.5, 98.0)),
        (TI2V_5B, 16380, (142.9, 98.9, 3.1, 244.9)),
        (I2V_14B, 7200, (175.4, 42.5, 4.5, 222.4)),
        (I2V_14B, 28800, (691.9, 679.5, 18.1, 1389.5)),
    ],
)
def test_flops_of_a_forward(
    model: Transformer | EditModule, num_tokens: int, expected: tuple[float, ...]
) -> None:
    flops = with_vace(model, num_tokens) if isinstance(model, EditModule) else model.flops(num_tokens)
    assert tera(flops) == expected


@pytest.mark.parametrize(
    ("frames", "total", "share"),
    [(17, 294, 21), (33, 613, 32), (49, 1009, 41), (73, 1746, 49), (81, 2030, 52)],
)
def test_flops_by_length(frames: int, total: int, share: int) -> None:
    flops = with_vace(VACE_14B, tokens(frames, 480, 832))
    assert round(flops.total / TERA) == total
    assert abs(100 * flops.self_attention / flops.total - share) < 1.1


def test_flops_of_720p_and_of_one_block() -> None:
    flops = with_vace(VACE_14B, tokens(73, 720, 1280))
    assert (round(flops.total / TERA), round(100 * flops.self_attention / flops.total)) == (6631, 69)
    for num_tokens, expected in ((29640, (17.77, 17.99, 0.31)), (75600, (45.24, 117.05, 0.79))):
        block = T2V_14B.block_flops(num_tokens)
        parts = (block.linear, block.self_attention, block.cross_attention)
        assert tuple(round(part / TERA, 2) for part in parts) == expected
    assert round(T2V_14B.block_flops(29640).total / TERA, 2) == 36.07


def test_flops_of_the_vae_and_of_the_texts() -> None:
    size = (480, 832)
    encode, decode = WAN_VAE.encode_flops(73, size), WAN_VAE.decode_flops(73, size)
    assert (round(encode / TERA, 1), round(decode / TERA, 1)) == (145.9, 245.6)
    assert round((2 * encode + decode) / TERA) == 537
    first = (WAN_VAE.encode_flops(1, size), WAN_VAE.decode_flops(1, size))
    assert tuple(round(one / TERA, 2) for one in first) == (0.99, 1.70)
    assert tuple(
        round((all_ - one) / 18 / TERA, 2) for all_, one in zip((encode, decode), first, strict=True)
    ) == (
        8.05,
        13.55,
    )


def counted(model: torch.nn.Module, *inputs: torch.Tensor, **named: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs, **named)
    return counter.get_total_flops()


def test_flops_are_those_of_diffusers_transformers() -> None:
    sizes = {
        "num_attention_heads": 1,
        "attention_head_dim": 128,
        "ffn_dim": 192,
        "num_layers": 3,
        "text_dim": 24,
    }
    backbone = Transformer(dim=128, ffn_dim=192, num_blocks=3, text_dim=24)
    module = EditModule(backbone, num_blocks=2)
    inputs = {
        "hidden_states": torch.zeros(1, 16, 2, 4, 6, device="meta"),
        "timestep": torch.zeros(1, device="meta"),
        "encoder_hidden_states": torch.zeros(1, 512, 24, device="meta"),
    }
    with torch.device("meta"):
        plain = WanTransformer3DModel(**sizes)
        vace = WanVACETransformer3DModel(**sizes, vace_layers=[0, 2], vace_in_channels=96)
    assert sum(p.numel() for p in plain.parameters()) == backbone.parameters.total
    assert sum(p.numel() for p in vace.parameters()) == (backbone.parameters + module.parameters).total
    assert counted(plain, **inputs) == backbone.flops(12).total
    inputs["control_hidden_states"] = torch.zeros(1, 96, 2, 4, 6, device="meta")
    assert counted(vace, **inputs) == (backbone.flops(12) + module.flops(12)).total


def test_flops_and_parameters_are_those_of_diffusers_vae() -> None:
    sizes = VaeSizes(base_dim=8, latent_channels=4)
    with torch.device("meta"):
        vae = AutoencoderKLWan(base_dim=8, z_dim=4)
    assert sum(p.numel() for p in vae.parameters()) == sizes.parameters

    video = torch.zeros(1, 3, 9, 16, 24, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as encode:
        latents = vae.encode(video).latent_dist.mode()
    with torch.no_grad(), FlopCounterMode(display=False) as decode:
        vae.decode(latents)
    # diffusers multiplies the zeros before the first frame too: two thirds of each cube there.
    zeros = [
        sum(layer.flops(16 * 24, 0) for layer in layers if layer.taps == CUBE) * (CUBE // SQUARE - 1)
        for layers in (sizes.encoder(), sizes.decoder())
    ]
    assert encode.get_total_flops() == sizes.encode_flops(9, (16, 24)) + zeros[0]
    assert decode.get_total_flops() == sizes.decode_flops(9, (16, 24)) + zeros[1]


def test_flops_and_parameters_are_those_of_transformers_umt5() -> None:
    sizes = TextEncoderSizes(50, 32, 24, num_heads=3, ffn_dim=40, num_blocks=2, num_buckets=32)
    config = UMT5Config(vocab_size=50, d_model=32, d_kv=8, num_heads=3, d_ff=40, num_layers=2)
    with torch.device("meta"):
        encoder = UMT5EncoderModel(config)
    encoder.encoder.embed_tokens = encoder.shared  # transformers 5.0 ties them only where it loads itself
    assert sum(p.numel() for p in encoder.parameters()) == sizes.parameters
    assert counted(encoder, torch.zeros(1, 7, dtype=torch.long, device="meta")) == sizes.flops(7)


def test_flops_and_parameters_are_those_of_transformers_clip() -> None:
    """The encoder as it is loaded: without its last layer and the norm behind it."""
    sizes = PictureEncoderSizes(dim=80, ffn_dim=160, num_layers=3, patch_px=14, rows=5)
    config = CLIPVisionConfig(
        hidden_size=80, intermediate_size=160, num_hidden_layers=2, num_attention_heads=1, image_size=28, patch_size=14
    )  # fmt: skip
    model = CLIPVisionModel(config)
    model.set_attn_implementation("eager")  # the fused one is not counted
    assert sum(one.numel() for one in model.parameters()) == sizes.parameters
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        model(torch.zeros(1, 3, 28, 28))
    assert counted.get_total_flops() == sizes.flops
    assert VIT_H.parameters == pytest.approx(6.1e8, rel=0.02)
