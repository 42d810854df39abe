"""Scaled fp8 stays fp8 in memory beside its factor, is undone exactly, and bad factors are refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.errors import BadInput
from reelpatch.families.wan.names import native_to_diffusers
from reelpatch.headless.models.lora import apply_lora, remove_lora
from reelpatch.headless.models.stored_layers import StoredLinear
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.weights.float8 import as_factor, widened
from tests.parity.file_forms import FORMS, is_quantised, prefixed

State = dict[str, Tensor]
SaveState = Callable[..., Path]
OLDER, NEWER = FORMS["fp8 scaled, older"].make, FORMS["fp8 scaled, newer"].make
LAYER = "blocks.1.ffn.0"


@pytest.mark.parametrize("make", [OLDER, NEWER])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_scaled_layer_holds_bytes_and_factor(
    backbone_state: State, save: SaveState, make: Callable[..., State], dtype: torch.dtype
) -> None:
    made = make(backbone_state, native_to_diffusers)
    model = load_backbone(save(made), dtype=dtype)
    layer = model.get_submodule("blocks.1.ffn.net.0.proj")
    assert isinstance(layer, StoredLinear)
    assert layer.weight.dtype is torch.float8_e4m3fn
    assert layer.factor is not None
    assert torch.equal(
        layer.weight.view(torch.uint8), made["blocks.1.ffn.net.0.proj.weight"].view(torch.uint8)
    )
    kept = [name for name, weight in model.named_parameters() if weight.dtype is torch.float8_e4m3fn]
    assert len(kept) == sum(map(is_quantised, backbone_state))

    x = torch.randn(3, 128).to(dtype)
    weight = (layer.weight.detach().float() * layer.factor).to(dtype)
    assert torch.equal(layer(x), functional.linear(x, weight, layer.bias))
    torch.testing.assert_close(weight.float(), backbone_state[f"{LAYER}.weight"], atol=0.02, rtol=0.08)


def test_a_factor_for_each_row(backbone_state: State, save: SaveState) -> None:
    state = dict(backbone_state)
    weight = state[f"{LAYER}.weight"]
    factors = weight.abs().amax(1, keepdim=True) / 448
    state |= {f"{LAYER}.weight": (weight / factors).to(torch.float8_e4m3fn), f"{LAYER}.weight_scale": factors}
    layer = load_backbone(save(state), dtype=torch.float32).get_submodule("blocks.1.ffn.net.0.proj")
    torch.testing.assert_close(layer(torch.eye(128)).T - layer.bias[:, None], weight, atol=1e-3, rtol=0.07)


def test_factors_multiply_before_anything_is_rounded() -> None:
    stored, factor = torch.tensor([[448.0, -3.5]]).to(torch.float8_e4m3fn), torch.tensor([[0.0013]])
    for dtype in (torch.float16, torch.bfloat16):
        assert torch.equal(widened(stored, factor, dtype), (stored.float() * factor).to(dtype))


def test_what_is_not_kept_fp8_is_multiplied_when_loaded(backbone_state: State, save: SaveState) -> None:
    state = dict(backbone_state)
    for layer in ("time_embedding.2", "patch_embedding", "head.head"):
        state[f"{layer}.weight"] = (backbone_state[f"{layer}.weight"] / 0.01).to(torch.float8_e4m3fn)
        state[f"{layer}.scale_weight"] = torch.tensor(0.01)
    model = load_backbone(save(state), dtype=torch.bfloat16)
    for layer, dtype in (("time_embedding.2", torch.float32), ("patch_embedding", torch.bfloat16)):
        weight = model.get_parameter(native_to_diffusers(f"{layer}.weight"))
        assert weight.dtype is dtype
        wanted = (state[f"{layer}.weight"].float() * 0.01).to(dtype)
        torch.testing.assert_close(weight.detach(), wanted, atol=0, rtol=0.004)


@pytest.mark.parametrize("make", [OLDER, NEWER])
def test_an_edit_module_and_a_lora_on_scaled_weights(
    module_state: State, save: SaveState, make: Callable[..., State]
) -> None:
    module = load_module(
        save(make(module_state, prefixed("diffusion_model.")), metadata={LAYERS_KEY: "0,2"}),
        VaceWork(),
        dtype=torch.float32,
    )
    layer = module.vace_blocks[0].ffn[0]
    x = torch.randn(2, 128)
    before, bits = layer(x), layer.weight.view(torch.uint8).clone()
    lora = {
        "vace_blocks.0.ffn.0.lora_A.default.weight": torch.randn(2, 128),
        "vace_blocks.0.ffn.0.lora_B.default.weight": torch.randn(96, 2),
    }
    apply_lora(module, save(lora, "lora.safetensors"))
    change = module.vace_blocks[0].ffn[0](x) - before
    down, up = lora.values()
    torch.testing.assert_close(change, x @ down.T @ up.T, atol=1e-3, rtol=1e-4)
    remove_lora(module)
    assert torch.equal(module.vace_blocks[0].ffn[0](x), before)
    assert torch.equal(module.vace_blocks[0].ffn[0].weight.view(torch.uint8), bits)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (torch.tensor(torch.nan), "NaN, infinite or negative"),
        (torch.tensor(torch.inf), "NaN, infinite or negative"),
        (torch.tensor(-1.0), "NaN, infinite or negative"),
        (torch.ones(4, 32), r"shape \(4, 32\)"),
    ],
)
@pytest.mark.parametrize("end", ["scale_weight", "weight_scale"])
def test_a_bad_factor_is_refused_by_name(
    backbone_state: State, save: SaveState, factor: Tensor, message: str, end: str
) -> None:
    state = backbone_state | {
        f"{LAYER}.weight": backbone_state[f"{LAYER}.weight"].to(torch.float8_e4m3fn),
        f"{LAYER}.{end}": factor,
    }
    with pytest.raises(BadInput, match=message) as error:
        load_backbone(save(state, "scaled.safetensors"))
    assert f"{LAYER}.{end} of" in str(error.value)
    assert "scaled.safetensors" in str(error.value)


def test_factors_come_in_every_spelling_of_one_number() -> None:
    for stored in (
        torch.tensor(0.5),
        torch.tensor([0.5]),
        torch.tensor([[0.5]]),
        torch.tensor(0.5).bfloat16(),
    ):
        assert torch.equal(as_factor(stored, 7, source=""), torch.tensor([[0.5]]))
