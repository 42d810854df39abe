"""A LoRA as a side path equals the merged weights, leaves no trace when removed, and fits fp8 as well."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reelpatch.edits.vace import LAYERS_KEY
from reelpatch.errors import BadInput
from reelpatch.headless.loading import load_backbone, load_module
from reelpatch.headless.lora import apply_lora, remove_lora

State = dict[str, Tensor]
SaveState = Callable[..., Path]

_ATTENTION = tuple(f"{kind}_attn.{layer}" for kind in ("self", "cross") for layer in "qkvo")
_DITTO = (*_ATTENTION, "ffn.0", "ffn.2")


def run(model: nn.Module) -> Tensor:
    torch.manual_seed(1)
    with torch.no_grad():
        return model(torch.randn(1, 16, 2, 4, 6), torch.tensor([625.0]), torch.randn(1, 8, 24)).sample


def causvid(state: State, rank: int = 4, alpha: float | None = None) -> State:
    """A LoRA on the attention of the main blocks, spelled as kijai's files."""
    torch.manual_seed(2)
    lora: State = {}
    for layer in (f"blocks.{i}.{name}" for i in range(3) for name in _ATTENTION):
        rows, columns = state[f"{layer}.weight"].shape
        lora[f"diffusion_model.{layer}.lora_down.weight"] = torch.randn(rank, columns) / 10
        lora[f"diffusion_model.{layer}.lora_up.weight"] = torch.randn(rows, rank) / 10
        if alpha is not None:
            lora[f"diffusion_model.{layer}.alpha"] = torch.tensor(alpha)
    return lora


def ditto(state: State, rank: int = 4) -> State:
    """A LoRA on all matrices of the VACE blocks, spelled as Ditto's files."""
    torch.manual_seed(3)
    lora: State = {}
    for layer in (f"vace_blocks.{i}.{name}" for i in range(2) for name in _DITTO):
        rows, columns = state[f"{layer}.weight"].shape
        lora[f"{layer}.lora_A.default.weight"] = torch.randn(rank, columns) / 10
        lora[f"{layer}.lora_B.default.weight"] = torch.randn(rows, rank) / 10
    return lora


def merged(state: State, lora: State, factor: float, spelling: tuple[str, str], prefix: str = "") -> State:
    """The LoRA in the weights themselves."""
    result = {key: tensor.clone().float() for key, tensor in state.items()}
    down, up = spelling
    for key in lora:
        if key.endswith(down):
            layer = key.removesuffix(down)
            result[f"{layer.removeprefix(prefix)}.weight"] += factor * lora[f"{layer}{up}"] @ lora[key]
    return result


def bits(model: nn.Module) -> list[Tensor]:
    return [parameter.view(torch.uint8).clone() for parameter in model.parameters() if parameter.ndim]


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize(("alpha", "factor"), [(None, 0.8), (8.0, 1.6)])
@pytest.mark.parametrize("narrow", [False, True])
def test_a_side_path_equals_the_merged_weights_and_goes_without_trace(
    backbone_state: State, save: SaveState, alpha: float | None, factor: float, narrow: bool
) -> None:
    state = backbone_state
    if narrow:
        state = {key: t.to(torch.float8_e4m3fn) if t.ndim == 2 else t for key, t in state.items()}
    lora = causvid(state, alpha=alpha)
    model = load_backbone(save(state), dtype=torch.float32)
    before, bits_before = run(model), bits(model)

    report = apply_lora(model, save(lora, "lora.safetensors"), 0.8)
    assert (report.num_layers, dict(report.unmatched)) == (24, {})
    target = merged(state, lora, factor, (".lora_down.weight", ".lora_up.weight"), "diffusion_model.")
    with_lora = run(model)
    expected = run(load_backbone(save(target, "merged.safetensors"), dtype=torch.float32))
    torch.testing.assert_close(with_lora, expected, atol=1e-5, rtol=0)
    assert (with_lora - before).abs().max() > 0.01

    remove_lora(model)
    assert torch.equal(run(model), before)
    assert same(bits(model), bits_before)
    assert not [name for name, _ in model.named_modules() if "lora" in name or "base_layer" in name]


def test_two_loras_of_different_rank_add_up(backbone_state: State, save: SaveState) -> None:
    first, second = causvid(backbone_state), causvid(backbone_state, rank=2)
    second = {key: tensor for key, tensor in second.items() if ".cross_attn." in key}
    mixed = first | second  # its layers have two ranks
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    assert apply_lora(model, save(mixed, "mixed.safetensors")).num_layers == 24
    assert apply_lora(model, save(second, "second.safetensors"), 0.5).num_layers == 12
    spelling = (".lora_down.weight", ".lora_up.weight")
    target = merged(
        merged(backbone_state, mixed, 1.0, spelling, "diffusion_model."),
        second,
        0.5,
        spelling,
        "diffusion_model.",
    )
    expected = run(load_backbone(save(target, "merged.safetensors"), dtype=torch.float32))
    torch.testing.assert_close(run(model), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("narrow", [False, True])
def test_dittos_lora_goes_on_the_edit_module(module_state: State, save: SaveState, narrow: bool) -> None:
    state = module_state
    if narrow:
        state = {key: t.to(torch.float8_e4m3fn) if t.ndim == 2 else t for key, t in state.items()}
    lora = ditto(state)
    path = save(state, metadata={LAYERS_KEY: "0,2"})
    module = load_module(path, dtype=torch.float32, lora=save(lora, "ditto.safetensors"))
    target = merged(state, lora, 1.0, (".lora_A.default.weight", ".lora_B.default.weight"))
    torch.manual_seed(4)
    hidden, wide = torch.randn(2, 5, 128), torch.randn(2, 5, 96)
    for i in range(2):
        block = module.vace_blocks[i]
        for layer, x in ((block.self_attn.q, hidden), (block.cross_attn.o, hidden), (block.ffn[2], wide)):
            name = next(name for name, found in module.named_modules() if found is layer)
            expected = nn.functional.linear(x, target[f"{name}.weight"], target[f"{name}.bias"].float())
            torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=0)
    remove_lora(module)
    plain = load_module(path, dtype=torch.float32)
    assert module.state_dict().keys() == plain.state_dict().keys()
    assert same(bits(module), bits(plain))


def test_one_file_for_backbone_and_module_is_shared_out(vace_state: State, save: SaveState) -> None:
    path = save(causvid(vace_state) | ditto(vace_state), "both.safetensors")
    model_path = save(vace_state, metadata={LAYERS_KEY: "0,2"})
    report = apply_lora(load_backbone(model_path, dtype=torch.float32), path)
    assert report.num_layers == 24
    assert {key.split(".")[0] for key in report.unmatched} == {"vace_blocks"}
    report = apply_lora(load_module(model_path, dtype=torch.float32), path)
    assert report.num_layers == 20
    assert {key.split(".")[0] for key in report.unmatched} == {"diffusion_model"}


def test_the_side_path_computes_in_the_models_dtype(backbone_state: State, save: SaveState) -> None:
    narrow = {key: t.to(torch.float8_e4m3fn) if t.ndim == 2 else t for key, t in backbone_state.items()}
    model = load_backbone(save(narrow), dtype=torch.bfloat16)
    apply_lora(model, save(causvid(backbone_state), "lora.safetensors"))
    dtypes = {p.dtype for name, p in model.named_parameters() if "lora_" in name}
    assert dtypes == {torch.bfloat16}
    assert not any(p.requires_grad for p in model.parameters())


def test_a_nan_is_named_and_nothing_is_applied(backbone_state: State, save: SaveState) -> None:
    lora = causvid(backbone_state)
    lora["diffusion_model.blocks.1.self_attn.k.lora_up.weight"][0, 0] = torch.nan
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    before = run(model)
    with pytest.raises(BadInput, match=r"lora\.safetensors holds NaN .*blocks\.1\.self_attn\.k"):
        apply_lora(model, save(lora, "lora.safetensors"))
    assert torch.equal(run(model), before)


def test_a_lora_that_fits_nothing_is_refused(
    backbone_state: State, module_state: State, save: SaveState
) -> None:
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    with pytest.raises(BadInput, match=r"ditto\.safetensors fits no layer .*no layer of this name"):
        apply_lora(model, save(ditto(module_state), "ditto.safetensors"))
    wide = {key: torch.zeros(2 * len(t), 2 * t.shape[1]) for key, t in causvid(backbone_state).items()}
    with pytest.raises(BadInput, match="do not fit the layer's"):
        apply_lora(model, save(wide, "14b.safetensors"))
    with pytest.raises(BadInput, match="a LoRA is needed here"):
        apply_lora(model, save(module_state, "module.safetensors"))
