"""HunyuanVideo-1.5's parameters, FLOPs and memory, held to diffusers' and transformers' classes."""

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo15, HunyuanVideo15Transformer3DModel
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen2Config, Qwen2Model, T5Config, T5EncoderModel

from reelpatch.families.hunyuan15.family import HUNYUAN_15
from reelpatch.families.hunyuan15.text_counts import GLYPH_ROWS, QWEN_7B, TEXT_ROWS, GlyphSizes
from reelpatch.families.hunyuan15.transformer_counts import HUNYUAN_8B, HunyuanTransformer
from reelpatch.families.hunyuan15.vae_counts import HUNYUAN_VAE, HunyuanVaeSizes
from tests.unit.plan.live_bytes import LiveBytes

FRAMES, ROWS, COLUMNS = 2, 4, 6


def test_the_published_model_has_as_many_parameters_as_diffusers_counts() -> None:
    assert HUNYUAN_8B.parameters.total == 8_326_608_160
    assert HUNYUAN_VAE.parameters == 1_260_634_115


def test_tokens_are_cells_of_sixteen_pixels_and_four_frames() -> None:
    grid = HUNYUAN_15.lattice.grid(*HUNYUAN_15.lattice.latent_shape(81, (480, 848))[1:])
    assert (grid.frames, grid.rows, grid.columns, grid.tokens) == (21, 30, 53, 33390)


@pytest.mark.parametrize("has_mean_flow", [False, True])
def test_flops_and_parameters_are_those_of_diffusers_transformer(has_mean_flow: bool) -> None:
    sizes = HunyuanTransformer(
        dim=256, num_blocks=3, text_dim=48, vision_dim=40, has_mean_flow=has_mean_flow, text_rows=TEXT_ROWS + GLYPH_ROWS + 100
    )  # fmt: skip
    with torch.device("meta"):
        model = HunyuanVideo15Transformer3DModel(
            num_attention_heads=2,
            num_layers=3,
            text_embed_dim=48,
            image_embed_dim=40,
            use_meanflow=has_mean_flow,
        )
    assert sum(parameter.numel() for parameter in model.parameters()) == sizes.parameters.total
    model = HunyuanVideo15Transformer3DModel(
        num_attention_heads=2, num_layers=3, text_embed_dim=48, image_embed_dim=40, use_meanflow=has_mean_flow
    )
    step = torch.tensor([500.0])
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        model(
            torch.zeros(1, 65, FRAMES, ROWS, COLUMNS), step,
            encoder_hidden_states=torch.ones(1, TEXT_ROWS, 48), encoder_attention_mask=torch.ones(1, TEXT_ROWS),
            encoder_hidden_states_2=torch.ones(1, GLYPH_ROWS, 1472), encoder_attention_mask_2=torch.ones(1, GLYPH_ROWS),
            image_embeds=torch.ones(1, 100, 40), timestep_r=step if has_mean_flow else None,
        )  # fmt: skip
    assert counted.get_total_flops() == sizes.flops(FRAMES * ROWS * COLUMNS).total


def test_flops_and_parameters_are_those_of_diffusers_vae() -> None:
    sizes = HunyuanVaeSizes((16, 32, 64, 128, 128), latent_channels=32)
    vae = AutoencoderKLHunyuanVideo15(block_out_channels=sizes.widths)
    assert sum(parameter.numel() for parameter in vae.parameters()) == sizes.parameters
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as encode:
        latents = vae.encode(torch.zeros(1, 3, 9, 32, 48)).latent_dist.mode()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as decode:
        vae.decode(latents)
    assert encode.get_total_flops() == sizes.encode_flops(9, (32, 48))
    assert decode.get_total_flops() == sizes.decode_flops(9, (32, 48))


def test_parameters_are_those_of_the_text_encoders() -> None:
    with torch.device("meta"):
        qwen = Qwen2Model(
            Qwen2Config(
                vocab_size=152064,
                hidden_size=3584,
                intermediate_size=18944,
                num_hidden_layers=26,
                num_attention_heads=28,
                num_key_value_heads=4,
            )
        )
        glyphs = T5EncoderModel(
            T5Config(
                vocab_size=1510,
                d_model=1472,
                d_kv=64,
                d_ff=3584,
                num_layers=12,
                num_heads=6,
                feed_forward_proj="gated-gelu",
            )
        )
    glyphs.encoder.embed_tokens = glyphs.shared  # transformers 5.0 ties them only where it loads itself
    norm = 3584  # the last one, which is not run
    of_glyphs = sum(parameter.numel() for parameter in glyphs.parameters())
    assert GlyphSizes().parameters == of_glyphs
    assert QWEN_7B.parameters == sum(parameter.numel() for parameter in qwen.parameters()) - norm + of_glyphs


def test_the_vae_holds_what_the_plan_says() -> None:
    """On pictures of a tile's size or less: the peak grows with the number of frames."""
    with FakeTensorMode():
        vae = AutoencoderKLHunyuanVideo15()
        for frames in (9, 17):
            video = torch.zeros(1, 3, frames, 64, 96)
            latents = torch.zeros(1, 32, (frames - 1) // 4 + 1, 4, 6)
            with torch.no_grad(), LiveBytes() as encode:
                vae.encoder(video)
            with torch.no_grad(), LiveBytes() as decode:
                vae.decoder(latents)
            told = HUNYUAN_VAE.live_numbers(frames, (64, 96))
            assert 4 * told[0] == pytest.approx(encode.peak, rel=0.01)
            assert 4 * told[1] == pytest.approx(decode.peak, rel=0.01)
