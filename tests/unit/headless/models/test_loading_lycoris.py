"""A LoHa and a LoKr beside the weights equal the merged ones, in fp8 too, and go without a trace."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reelpatch.headless.models.float8_products import multiply_in_float8
from reelpatch.headless.models.lora import apply_lora, merge_lora, remove_lora
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.sampling.strengths import StrengthSchedule
from tests.unit.headless.models.scaled_files import scaled

State = dict[str, Tensor]
SaveState = Callable[..., Path]
PARTS: dict[str, dict[str, tuple[int, int]]] = {
    "loha": {"hada_w1_a": (128, 4), "hada_w1_b": (4, 128), "hada_w2_a": (128, 4), "hada_w2_b": (4, 128)},
    "lokr": {"lokr_w1": (8, 8), "lokr_w2_a": (16, 2), "lokr_w2_b": (2, 16)},
}
LAYERS = [f"blocks.{block}.self_attn.{layer}" for block in range(3) for layer in "qkvo"]


def run(model: nn.Module) -> Tensor:
    torch.manual_seed(1)
    with torch.no_grad():
        return model(torch.randn(1, 16, 2, 4, 6), torch.tensor([625.0]), torch.randn(1, 8, 24)).sample


def made(form: str) -> State:
    torch.manual_seed(2)
    state: State = {}
    for layer in LAYERS:
        name = f"lycoris_{layer.replace('.', '_')}"
        state |= {f"{name}.{part}": torch.randn(shape) / 4 for part, shape in PARTS[form].items()}
        state[f"{name}.alpha"] = torch.tensor(1.0)
    return state


def merged(state: State, lora: State, strength: float) -> State:
    """The formulas with other functions than the product's."""
    result = {key: tensor.float() for key, tensor in state.items()}
    for layer in LAYERS:
        name = f"lycoris_{layer.replace('.', '_')}"
        part = {key.rpartition(".")[2]: t for key, t in lora.items() if key.startswith(f"{name}.")}
        if "lokr_w1" in part:
            whole = torch.einsum("ab,cr,rd->acbd", part["lokr_w1"], part["lokr_w2_a"], part["lokr_w2_b"])
            delta = whole.reshape(128, 128) / 2
        else:
            first, second = (
                torch.einsum("ar,rb->ab", part[f"hada_w{i}_a"], part[f"hada_w{i}_b"]) for i in (1, 2)
            )
            delta = first * second / 4
        result[f"{layer}.weight"] = result[f"{layer}.weight"] + strength * delta
    return result


@pytest.mark.parametrize("form", PARTS)
@pytest.mark.parametrize("narrow", [False, True])
def test_beside_equals_merged_and_goes_without_trace(
    backbone_state: State, save: SaveState, form: str, narrow: bool
) -> None:
    stored, meant = scaled(backbone_state) if narrow else (backbone_state, backbone_state)
    lora = made(form)
    path = save(lora, "lora.safetensors")
    model = load_backbone(save(stored), dtype=torch.float32)
    if narrow:
        multiply_in_float8([model])  # a changed matrix is no fp8 any more, and is multiplied as it is
    before = run(model)
    weights = {name: tensor.data_ptr() for name, tensor in model.named_parameters()}
    applied = apply_lora(model, path, StrengthSchedule((0.8, 0.0)))
    assert (applied.report.num_layers, dict(applied.report.unmatched)) == (len(LAYERS), {})
    target = load_backbone(save(merged(meant, lora, 0.8), "merged.safetensors"), dtype=torch.float32)
    if narrow:  # the layers without a change still round to fp8, so that single ones are compared
        for layer in (f"blocks.{block}.attn1.to_q" for block in range(3)):
            x = torch.randn(5, 128)
            found, expected = (one.get_submodule(layer)(x) for one in (model, target))
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    else:
        torch.testing.assert_close(run(model), run(target), atol=2e-5, rtol=0)
    assert (run(model) - before).abs().max() > 0.01
    applied.at_step(1, 2)
    assert torch.equal(run(model), before)
    remove_lora(model)
    assert torch.equal(run(model), before)
    assert {name: tensor.data_ptr() for name, tensor in model.named_parameters()} == weights


@pytest.mark.parametrize("form", PARTS)
def test_merging_equals_the_formula(backbone_state: State, save: SaveState, form: str) -> None:
    lora = made(form)
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    merge_lora(model, save(lora, "lora.safetensors"), 0.8)
    target = load_backbone(save(merged(backbone_state, lora, 0.8), "merged.safetensors"), dtype=torch.float32)
    torch.testing.assert_close(run(model), run(target), atol=2e-5, rtol=0)


def test_streamed_blocks_take_their_change_along(backbone_state: State, save: SaveState) -> None:
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    apply_lora(model, save(made("lokr"), "lora.safetensors"))
    whole = run(model)
    stream_blocks(model, list(model.blocks), torch.device("cpu"))
    assert torch.equal(run(model), whole)
