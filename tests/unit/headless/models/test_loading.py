"""Backbones and edit modules come out of their files whole, in every float dtype, or are refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.errors import BadInput
from reelpatch.families.wan.names import native_to_diffusers
from reelpatch.headless.models.stored_layers import StoredLinear
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from tests.golden.rounding import assert_rounds_alike, depth_of

State = dict[str, Tensor]
SaveState = Callable[..., Path]
LAYERS = {LAYERS_KEY: "0,2"}


def run(model: nn.Module) -> Tensor:
    torch.manual_seed(1)
    dtype = model.dtype if isinstance(model, WanTransformer3DModel) else torch.float32
    latents, text = torch.randn(1, 16, 2, 4, 6).to(dtype), torch.randn(1, 8, 24).to(dtype)
    with torch.no_grad():
        return model(latents, torch.tensor([625.0]), text).sample


def as_float8(state: State) -> State:
    """Block matrices in fp8, all else as it is."""
    return {
        key: tensor.to(torch.float8_e4m3fn)
        if key.startswith(("blocks.", "vace_blocks.")) and tensor.ndim == 2
        else tensor
        for key, tensor in state.items()
    }


@pytest.fixture(scope="module")
def reference(backbone_state: State) -> WanTransformer3DModel:
    model = WanTransformer3DModel(num_attention_heads=1, num_layers=3, ffn_dim=96, text_dim=24, freq_dim=32)
    model.load_state_dict({native_to_diffusers(key): tensor for key, tensor in backbone_state.items()})
    return model


# Not bit for bit: a mapped file is not aligned to 64 bytes, and matrix kernels round by alignment.
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_native_file_gives_the_model_it_was_made_of(
    backbone_state: State, reference: WanTransformer3DModel, save: SaveState, prefix: str
) -> None:
    path = save({prefix + key: tensor for key, tensor in backbone_state.items()})
    model = load_backbone(path, dtype=torch.float32)
    assert_rounds_alike(run(model), run(reference), depth_of(model))
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_diffusers_file_and_a_merged_file_load_too(
    vace_state: State, reference: WanTransformer3DModel, save: SaveState
) -> None:
    merged = load_backbone(save(vace_state), dtype=torch.float32)
    renamed = save({native_to_diffusers(key): tensor for key, tensor in vace_state.items()}, "y.safetensors")
    for model in (merged, load_backbone(renamed, dtype=torch.float32)):
        assert_rounds_alike(run(model), run(reference), depth_of(model))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_norms_modulation_and_time_stay_fp32(
    backbone_state: State, save: SaveState, dtype: torch.dtype
) -> None:
    model = load_backbone(save(backbone_state), dtype=dtype)
    wide = {name for name, parameter in model.named_parameters() if parameter.dtype is torch.float32}
    assert wide == {
        name
        for name, _ in model.named_parameters()
        if {"time_embedder", "scale_shift_table", "norm2"} & set(name.split("."))
    }
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32, dtype}
    assert run(model).dtype is dtype


def test_fp8_stays_fp8_and_computes_as_if_widened(backbone_state: State, save: SaveState) -> None:
    narrow = as_float8(backbone_state)
    model = load_backbone(save(narrow), dtype=torch.float32)
    kept = {name for name, parameter in model.named_parameters() if parameter.dtype is torch.float8_e4m3fn}
    assert kept == {
        native_to_diffusers(key) for key, tensor in narrow.items() if tensor.dtype is torch.float8_e4m3fn
    }
    assert len(kept) == 3 * 10
    widened = load_backbone(
        save({key: tensor.float() for key, tensor in narrow.items()}, "y.safetensors"), dtype=torch.float32
    )
    assert_rounds_alike(run(model), run(widened), depth_of(model))
    after = model.get_parameter("blocks.0.attn1.to_q.weight")
    assert torch.equal(after.view(torch.uint8), narrow["blocks.0.self_attn.q.weight"].view(torch.uint8))


def test_a_file_all_in_fp8_keeps_its_large_matrices_so(backbone_state: State, save: SaveState) -> None:
    path = save({key: tensor.to(torch.float8_e4m3fn) for key, tensor in backbone_state.items()})
    model = load_backbone(path, dtype=torch.bfloat16)
    kept = [module for module in model.modules() if isinstance(module, StoredLinear)]
    assert len(kept) == 3 * 10 + 3
    assert model.patch_embedding.weight.dtype is torch.bfloat16
    assert run(model).isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("blocks.1.cross_attn.k.bias"), "lacks blocks.1.attn2.to_k.bias"),
        (lambda s: s.update({"blocks.1.lora": torch.zeros(1)}), r"unknown keys blocks\.1\.lora"),
        (lambda s: s.update({"blocks.0.ffn.2.weight": torch.zeros(128, 95)}), r"\(128, 95\).*\(128, 96\)"),
        (lambda s: s["blocks.2.ffn.0.bias"].fill_(torch.nan), r"NaN or infinity in blocks\.2\.ffn\.0\.bias"),
        (
            lambda s: s.update({"blocks.9.ffn.0.scale_weight": torch.ones(1)}),
            r"unknown keys blocks\.9\.ffn\.0\.scale",
        ),
        (
            lambda s: s.update({"blocks.1.ffn.0.weight": torch.zeros(96, 128, dtype=torch.int8)}),
            r"blocks\.1\.ffn\.0\.weight as I8",
        ),
        (lambda s: s.pop("head.head.bias"), r"lacks head\.head\.bias"),
    ],
)
def test_what_does_not_fit_is_named(
    backbone_state: State, save: SaveState, change: Callable[[State], object], message: str
) -> None:
    state = {key: tensor.clone() for key, tensor in backbone_state.items()}
    change(state)
    with pytest.raises(BadInput, match=message) as error:
        load_backbone(save(state, "t2v.safetensors"))
    assert "t2v.safetensors" in str(error.value)


def test_a_nan_in_fp8_is_found_too(backbone_state: State, save: SaveState) -> None:
    state = as_float8(backbone_state)
    state["blocks.0.ffn.0.weight"].view(torch.uint8)[3, 5] = 0x7F
    with pytest.raises(BadInput, match=r"NaN or infinity in blocks\.0\.ffn\.0\.weight"):
        load_backbone(save(state))


@pytest.mark.parametrize("merged", [True, False])
def test_an_edit_module_comes_from_its_own_or_a_merged_file(
    vace_state: State, module_state: State, save: SaveState, merged: bool
) -> None:
    module = load_module(
        save(vace_state if merged else module_state, metadata=LAYERS), VaceWork(), dtype=torch.float32
    )
    loaded = module.state_dict()
    assert loaded.keys() == module_state.keys()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in module_state.items())
    assert module.config.layers == (0, 2)


def test_a_key_that_is_no_part_of_an_edit_module_is_named(module_state: State, save: SaveState) -> None:
    with pytest.raises(BadInput, match=r"'controlnet\.bias'"):
        load_module(save(module_state | {"controlnet.bias": torch.zeros(1)}, metadata=LAYERS), VaceWork())


def test_a_width_without_whole_heads_is_refused(save: SaveState) -> None:
    state = {
        "patch_embedding.weight": torch.zeros(160, 16, 1, 2, 2),
        "head.modulation": torch.zeros(1, 2, 160),
    }
    with pytest.raises(BadInput, match=r"160 wide"):
        load_backbone(save(state))


def test_an_fp8_edit_module_stays_fp8(module_state: State, save: SaveState) -> None:
    module = load_module(save(as_float8(module_state), metadata=LAYERS), VaceWork(), dtype=torch.bfloat16)
    assert module.vace_blocks[1].ffn[0].weight.dtype is torch.float8_e4m3fn
    assert module.vace_blocks[1].after_proj.weight.dtype is torch.float8_e4m3fn
    assert module.vace_patch_embedding.weight.dtype is torch.bfloat16
    assert module.vace_blocks[0].norm3.weight.dtype is torch.float32
    hidden = torch.randn(1, 3, 128, dtype=torch.bfloat16)
    wide = nn.functional.linear(
        hidden,
        module_state["vace_blocks.0.before_proj.weight"].to(torch.float8_e4m3fn).bfloat16(),
        module_state["vace_blocks.0.before_proj.bias"].bfloat16(),
    )
    # Each sums in its kernel's order and rounds the sum to bf16.
    torch.testing.assert_close(module.vace_blocks[0].before_proj(hidden), wide, atol=1e-3, rtol=2**-7)


def test_a_file_in_the_wrong_place_is_told_so(
    backbone_state: State, module_state: State, save: SaveState
) -> None:
    with pytest.raises(BadInput, match=r"is a VACE edit module.*a Wan text-to-video backbone or"):
        load_backbone(save(module_state))
    with pytest.raises(BadInput, match=r"is a Wan text-to-video backbone.*a VACE edit module or"):
        load_module(save(backbone_state), VaceWork())
