"""Outputs of the official Wan code for the golden weights, to the digits that were printed and float32's rounding."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import Timesteps

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.rotary import rotary_table
from reelpatch.headless.hosts.wan_host import predict_velocity
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input
from tests.golden.rounding import UNIT_ROUNDOFF, assert_printed, depth_of, printed

GOLDEN_DIR = Path(__file__).parents[1] / "golden"
WAN21: dict[str, Any] = json.loads((GOLDEN_DIR / "dit_Wan2.1.json").read_text())
WAN22: dict[str, Any] = json.loads((GOLDEN_DIR / "dit_Wan2.2.json").read_text())

LATENTS = make_input((4, 3, 4, 6))[None]
TEXT = F.pad(make_input((5, 24), 0.13, 1.0)[None], (0, 0, 0, 11))  # 16 rows
IMAGE_LATENTS = make_input((8, 3, 4, 6), 0.19, 2.0)[None]
IMAGE_TOKENS = make_input((1, 257, 1280), 0.017, 0.5)
CONTEXT = make_input((12, 3, 4, 6), 0.23, 3.0)
MOMENT = Moment(sigma=0.625, step=0, num_steps=1, conditional=(True,))


@pytest.mark.parametrize("golden", [WAN21["t2v"], WAN22["ti2v_scalar_t"]], ids=["wan2.1", "wan2.2"])
def test_text_to_video(golden: dict[str, Any]) -> None:
    model = tiny_wan.t2v()
    assert_printed(predict_velocity(model, LATENTS, TEXT, moment=MOMENT), golden, depth_of(model))


def test_a_weight_that_is_off_by_a_thousandth_is_seen() -> None:
    model = tiny_wan.t2v()
    with torch.no_grad():
        model.blocks[1].ffn.net[2].weight.mul_(1.001)
    with pytest.raises(AssertionError):
        assert_printed(predict_velocity(model, LATENTS, TEXT, moment=MOMENT), WAN21["t2v"], depth_of(model))


def test_every_token_with_its_own_timestep() -> None:
    timestep = torch.tensor([[0.0] * 6 + [625.0] * 12])
    model = tiny_wan.t2v()
    output = predict_velocity(model, LATENTS, TEXT, moment=MOMENT, timestep=timestep)
    assert_printed(output, WAN22["ti2v_first_frame_t0"], depth_of(model))


def test_image_to_video_with_clip_tokens() -> None:
    model = tiny_wan.t2v(in_channels=12, image_dim=1280, added_kv_proj_dim=tiny_wan.DIM)
    text = F.pad(TEXT, (0, 0, 0, 512 - 16))
    latents = torch.cat((LATENTS, IMAGE_LATENTS), dim=1)
    output = model(latents, torch.tensor([625.0]), text, IMAGE_TOKENS, return_dict=False)[0]
    assert_printed(output, WAN21["i2v"], depth_of(model))


def test_image_to_video_without_clip_tokens() -> None:
    latents = torch.cat((LATENTS, IMAGE_LATENTS), dim=1)
    model = tiny_wan.t2v(in_channels=12)
    output = predict_velocity(model, latents, TEXT, moment=MOMENT)
    assert_printed(output, WAN22["i2v22"], depth_of(model))


@pytest.mark.parametrize("strength", [1.0, 0.5, 0.0])
def test_vace_on_a_separate_backbone(strength: float) -> None:
    backbone, _, module = tiny_wan.vace((0, 2), 12)
    edit = VaceEdit(module, [VaceContext(CONTEXT, strength)])
    output = predict_velocity(backbone, LATENTS, TEXT, moment=MOMENT, edits=[edit])
    assert_printed(output, WAN21[f"vace_scale{strength}"], depth_of(backbone, module))


def test_vace_names() -> None:
    _, _, module = tiny_wan.vace((0, 2), 12)
    own_names = [name for name in sorted(module.state_dict()) if "_proj." in name or "embedding" in name]
    assert own_names == WAN21["vace_keys"]


def test_time_sinusoid() -> None:
    found = Timesteps(8, flip_sin_to_cos=True, downscale_freq_shift=0)(torch.tensor([625.0]))
    # The official table is float64; diffusers takes the sine of a float32 product of up to 625, rounded once as the
    # frequency and once as the product.
    assert found[0].tolist() == pytest.approx(WAN21["sin8_t625"], abs=5e-7 + 2 * 625 * UNIT_ROUNDOFF)


def test_rotary_angles() -> None:
    table = rotary_table(TokenGrid(8, 8, 8), head_dim=64)
    cos, sin = table[-1, 0].unbind(-1)  # the last token: position 7 on each axis
    # Cosine, sine and the arc tangent round once each.
    expected = pytest.approx(WAN21["freqs"]["angle_row7"], abs=printed(math.pi, 3))
    assert torch.atan2(sin, cos).tolist() == expected
