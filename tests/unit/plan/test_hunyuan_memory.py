"""What the plan says of HunyuanVideo-1.5's memory is what the headless code holds when it runs on fake tensors of full size."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import (
    Qwen2Config,
    Qwen2Model,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
)

from reelpatch.families.hunyuan15.text_counts import GLYPH_ROWS, QWEN_7B, TEXT_ROWS
from reelpatch.headless.models.stored_layers import hold_as_stored
from reelpatch.plan.job import Job
from reelpatch.plan.memory import encode_activations, step_activations, text_activations
from reelpatch.plan.models import Models, models_of
from reelpatch.recipes import recipe
from tests.unit.plan.all_valid import AllValid
from tests.unit.plan.fake_hunyuan import DTYPES, hold, live_step
from tests.unit.plan.live_bytes import LiveBytes

CAPYBARA = recipe("capybara")
MODELS = models_of(CAPYBARA, {})
PUBLISHED = Job(CAPYBARA, 81, (480, 848))
IN_FP8 = replace(MODELS, backbone_bytes=1, text_bytes=1)
IN_FP32 = replace(MODELS, compute_bytes=4, backbone_bytes=4, text_bytes=4)


@pytest.mark.parametrize(
    ("job", "models"),
    [
        (PUBLISHED, MODELS),
        (PUBLISHED, IN_FP8),
        (PUBLISHED, IN_FP32),
        (PUBLISHED, replace(IN_FP8, has_loras=True)),
        (replace(PUBLISHED, frames=9), MODELS),
        (replace(PUBLISHED, frames=9), IN_FP8),
        (replace(PUBLISHED, size=(720, 1280)), MODELS),
        (replace(PUBLISHED, frames=1, size=(720, 1280)), MODELS),
    ],
    ids=["published", "fp8", "fp32", "fp8 with LoRA", "9 frames", "9 frames, fp8", "1280x720", "a picture"],
)
def test_a_step_holds_what_the_plan_says(job: Job, models: Models) -> None:
    live = live_step(job, models, (TEXT_ROWS, GLYPH_ROWS))
    assert step_activations(job, models) == pytest.approx(live, rel=0.03)


def test_tokens_are_those_of_the_latents_themselves() -> None:
    assert PUBLISHED.tokens == 21 * (480 // 16) * (848 // 16) == 33_390


def fake_qwen(models: Models) -> tuple[Qwen2Model, FakeTensorMode]:
    """Two layers stand for all: each frees what it made. The last norm is not run."""
    config = Qwen2Config(
        **{"vocab_size": 1000, "hidden_size": QWEN_7B.dim, "intermediate_size": QWEN_7B.ffn_dim},
        **{"num_hidden_layers": 2, "num_attention_heads": QWEN_7B.num_heads, "num_key_value_heads": 4},
    )
    with torch.device("meta"):
        model = Qwen2Model(config)
    model.set_submodule("norm", nn.Identity())
    dtype, mode = DTYPES[models.compute_bytes], FakeTensorMode()
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear):
            hold_as_stored(model, name, dtype)
    with mode:
        hold(model, DTYPES[models.text_bytes], dtype)
    return model.requires_grad_(False), mode


@pytest.mark.parametrize(
    "models", [MODELS, replace(MODELS, text_bytes=2), IN_FP32], ids=["fp8", "bf16", "fp32"]
)
def test_qwen_holds_what_the_plan_says(models: Models) -> None:
    qwen, mode = fake_qwen(models)
    with mode, torch.no_grad():
        rows = torch.zeros(1, QWEN_7B.rows, QWEN_7B.dim, dtype=DTYPES[models.compute_bytes])
        with LiveBytes() as live:
            qwen(inputs_embeds=rows, use_cache=False)
    assert text_activations(models) == pytest.approx(live.peak, rel=0.03)


def test_byt5_and_siglip_hold_less_than_what_runs_before_them() -> None:
    """Either runs in a turn of its own, on the CPU and in fp32: byT5 after Qwen, SigLIP beside the VAE."""
    with FakeTensorMode(), AllValid():
        glyphs = T5EncoderModel(
            T5Config(
                **{"vocab_size": 1510, "d_model": 1472, "d_kv": 64, "d_ff": 3584, "num_layers": 2},
                **{"num_heads": 6, "feed_forward_proj": "gated-gelu"},
            )
        )
        siglip = SiglipVisionModel(
            SiglipVisionConfig(
                **{"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 2},
                **{"num_attention_heads": 16, "image_size": 378, "patch_size": 14, "vision_use_head": False},
            )
        )
        with torch.no_grad(), LiveBytes() as of_glyphs:
            glyphs(input_ids=torch.zeros(1, GLYPH_ROWS, dtype=torch.long))
        with torch.no_grad(), LiveBytes() as of_pictures:
            siglip(pixel_values=torch.zeros(1, 3, 378, 378))
    assert 0 < of_glyphs.peak < text_activations(MODELS)
    assert 0 < of_pictures.peak < encode_activations(PUBLISHED, MODELS, is_tiled=True)
