"""A LoRA as a side path equals the merged weights, leaves no trace when removed, and fits fp8 as well."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.errors import BadInput
from reelpatch.headless.models.lora import apply_lora, merge_lora, remove_lora
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.sampling.strengths import StrengthSchedule
from tests.golden.rounding import assert_rounds_alike, depth_of
from tests.unit.headless.models.scaled_files import scaled

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


def bits(model: nn.Module) -> State:
    return {
        name: tensor.view(torch.uint8).clone() for name, tensor in model.named_parameters() if tensor.ndim
    }


def same(left: State, right: State) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


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

    report = apply_lora(model, save(lora, "lora.safetensors"), 0.8).report
    assert (report.num_layers, dict(report.unmatched)) == (24, {})
    target = merged(state, lora, factor, (".lora_down.weight", ".lora_up.weight"), "diffusion_model.")
    with_lora = run(model)
    expected = run(load_backbone(save(target, "merged.safetensors"), dtype=torch.float32))
    assert_rounds_alike(with_lora, expected, depth_of(model))
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
    assert apply_lora(model, save(mixed, "mixed.safetensors")).report.num_layers == 24
    assert apply_lora(model, save(second, "second.safetensors"), 0.5).report.num_layers == 12
    spelling = (".lora_down.weight", ".lora_up.weight")
    target = merged(
        merged(backbone_state, mixed, 1.0, spelling, "diffusion_model."),
        second,
        0.5,
        spelling,
        "diffusion_model.",
    )
    expected = run(load_backbone(save(target, "merged.safetensors"), dtype=torch.float32))
    assert_rounds_alike(run(model), expected, depth_of(model))


@pytest.mark.parametrize("narrow", [False, True])
def test_dittos_lora_goes_on_the_edit_module(module_state: State, save: SaveState, narrow: bool) -> None:
    state = module_state
    if narrow:
        state = {key: t.to(torch.float8_e4m3fn) if t.ndim == 2 else t for key, t in state.items()}
    lora = ditto(state)
    path = save(state, metadata={LAYERS_KEY: "0,2"})
    module = load_module(path, VaceWork(), dtype=torch.float32, lora=save(lora, "ditto.safetensors"))
    target = merged(state, lora, 1.0, (".lora_A.default.weight", ".lora_B.default.weight"))
    torch.manual_seed(4)
    hidden, wide = torch.randn(2, 5, 128), torch.randn(2, 5, 96)
    for i in range(2):
        block = module.vace_blocks[i]
        for layer, x in ((block.self_attn.q, hidden), (block.cross_attn.o, hidden), (block.ffn[2], wide)):
            name = next(name for name, found in module.named_modules() if found is layer)
            expected = nn.functional.linear(x, target[f"{name}.weight"], target[f"{name}.bias"].float())
            assert_rounds_alike(layer(x), expected, 16)  # sums of 128 products, in two parts or in one
    remove_lora(module)
    plain = load_module(path, VaceWork(), dtype=torch.float32)
    assert module.state_dict().keys() == plain.state_dict().keys()
    assert same(bits(module), bits(plain))


def test_one_file_for_backbone_and_module_is_shared_out(vace_state: State, save: SaveState) -> None:
    path = save(causvid(vace_state) | ditto(vace_state) | {"note": torch.zeros(1)}, "both.safetensors")
    model_path = save(vace_state, metadata={LAYERS_KEY: "0,2"})
    backbone = load_backbone(model_path, dtype=torch.float32)
    module = load_module(model_path, VaceWork(), dtype=torch.float32)
    report = apply_lora((backbone, module), path).report
    assert (report.num_layers, list(report.unmatched)) == (44, ["note"])
    remove_lora(backbone)
    remove_lora(module)
    report = apply_lora(backbone, path).report
    assert report.num_layers == 24
    assert {key.split(".")[0] for key in report.unmatched} == {"vace_blocks", "note"}
    report = apply_lora(module, path).report
    assert report.num_layers == 20
    assert {key.split(".")[0] for key in report.unmatched} == {"diffusion_model", "note"}


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
    with pytest.raises(BadInput, match=r"ditto\.safetensors fits no layer .*belongs to a VACE edit module"):
        apply_lora(model, save(ditto(module_state), "ditto.safetensors"))
    wide = {key: torch.zeros(2 * len(t), 2 * t.shape[1]) for key, t in causvid(backbone_state).items()}
    with pytest.raises(BadInput, match="do not fit the layer's"):
        apply_lora(model, save(wide, "14b.safetensors"))
    with pytest.raises(BadInput, match="a LoRA is needed here"):
        apply_lora(model, save(module_state, "module.safetensors"))


LIGHTX2V = {
    "blocks.0.norm3.weight": "blocks.0.norm3.diff",
    "blocks.1.norm3.bias": "blocks.1.norm3.diff_b",
    "blocks.0.self_attn.norm_q.weight": "blocks.0.self_attn.norm_q.diff",
    "blocks.0.self_attn.q.bias": "blocks.0.self_attn.q.diff_b",
    "blocks.2.modulation": "blocks.2.diff_m",
    "head.modulation": "head.diff_m",
    "head.head.weight": "head.head.diff",
    "head.head.bias": "head.head.diff_b",
    "patch_embedding.weight": "patch_embedding.diff",
    "blocks.1.ffn.0.weight": "blocks.1.ffn.0.diff",
    "time_projection.1.bias": "time_projection.1.diff_b",
}


def lightx2v(state: State) -> tuple[State, State]:
    """Low-rank pairs and full differences, as lightx2v's files; and the differences by parameter."""
    torch.manual_seed(5)
    deltas = {name: torch.randn(state[name].shape) / 10 for name in LIGHTX2V}
    return causvid(state) | {f"diffusion_model.{LIGHTX2V[name]}": d for name, d in deltas.items()}, deltas


def narrowed(state: State) -> State:
    return {key: t.to(torch.float8_e4m3fn) if t.ndim == 2 else t for key, t in state.items()}


@pytest.mark.parametrize("form", ["plain", "fp8", "scaled fp8"])
def test_full_differences_act_like_merged_ones_and_go_without_trace(
    backbone_state: State, save: SaveState, form: str
) -> None:
    made = narrowed(backbone_state) if form == "fp8" else backbone_state
    made, state = scaled(backbone_state) if form == "scaled fp8" else (made, made)
    lora, deltas = lightx2v(state)
    model = load_backbone(save(made), dtype=torch.float32)
    before, bits_before = run(model), bits(model)
    tensors_before = {name: tensor.data_ptr() for name, tensor in model.named_parameters()}

    path = save(lora, "lightx2v.safetensors")
    report = apply_lora(model, path, 0.8).report
    assert not report.unmatched
    assert report.num_layers == 24 + len(LIGHTX2V) - 2  # two layers have two each
    target = merged(state, lora, 0.8, (".lora_down.weight", ".lora_up.weight"), "diffusion_model.")
    target |= {name: target[name] + 0.8 * delta for name, delta in deltas.items()}
    expected = run(load_backbone(save(target, "merged.safetensors"), dtype=torch.float32))
    assert_rounds_alike(run(model), expected, depth_of(model))

    apply_lora(model, path, -0.8)  # a second one on top, parametrizations and PEFT's layers there already
    assert_rounds_alike(run(model), before, depth_of(model))
    remove_lora(model)
    assert torch.equal(run(model), before)
    assert same(bits(model), bits_before)
    assert {name: tensor.data_ptr() for name, tensor in model.named_parameters()} == tensors_before


def test_strengths_follow_the_steps(backbone_state: State, save: SaveState) -> None:
    lora, _ = lightx2v(backbone_state)
    path = save(lora, "lora.safetensors")
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    plain = run(model)
    constant = {}
    for strength in (1.0, 0.3):
        apply_lora(model, path, strength)
        constant[strength] = run(model)
        remove_lora(model)
    applied = apply_lora(model, path, StrengthSchedule((1.0, 0.3, 0.0)))
    assert_rounds_alike(run(model), constant[1.0], depth_of(model))
    for step, expected in enumerate([constant[1.0], constant[0.3], plain] * 2):
        applied.at_step(step % 3, 3)
        assert_rounds_alike(run(model), expected, depth_of(model))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_merging_into_wide_weights_equals_the_side_path(
    vace_state: State, save: SaveState, dtype: torch.dtype
) -> None:
    lora, _ = lightx2v(vace_state)
    path = save(lora | ditto(vace_state), "lora.safetensors")
    model_path = save(
        {key: tensor.to(dtype) for key, tensor in vace_state.items()}, metadata={LAYERS_KEY: "0,2"}
    )
    file_before = model_path.read_bytes()
    beside = [
        load(model_path, dtype=dtype) for load in (load_backbone, partial(load_module, work=VaceWork()))
    ]
    into = [load(model_path, dtype=dtype) for load in (load_backbone, partial(load_module, work=VaceWork()))]
    apply_lora(beside, path, 0.8)
    report = merge_lora(into, path, 0.8)
    assert (report.num_layers, dict(report.unmatched)) == (24 + 9 + 20, {})
    merged_output, expected = run(into[0].float()), run(beside[0].float())
    if dtype == torch.float32:
        assert_rounds_alike(merged_output, expected, depth_of(beside[0]))
    else:  # the merged weights are rounded to bf16 once more
        torch.testing.assert_close(merged_output, expected, atol=0.1, rtol=0)
    assert not [name for name, _ in into[0].named_modules() if "lora" in name or "parametr" in name]
    assert model_path.read_bytes() == file_before


def test_merging_into_fp8_rounds_to_a_neighbour_by_its_seed(backbone_state: State, save: SaveState) -> None:
    state = narrowed(backbone_state)
    lora = causvid(state)
    path, model_path = save(lora, "lora.safetensors"), save(state)
    wide = merged(state, lora, 0.8, (".lora_down.weight", ".lora_up.weight"), "diffusion_model.")

    def weight(seed: int) -> Tensor:
        model = load_backbone(model_path, dtype=torch.float32)
        merge_lora(model, path, 0.8, seed=seed)
        return model.blocks[0].attn1.to_q.weight

    first, again, other = weight(1), weight(1), weight(2)
    assert first.dtype == torch.float8_e4m3fn
    assert torch.equal(first.float(), again.float())
    assert not torch.equal(first.float(), other.float())
    exact = wide["blocks.0.self_attn.q.weight"]
    step = 2.0 ** (torch.floor(torch.log2(exact.abs().clamp(min=2**-6))) - 3)
    assert ((first.float() - exact).abs() <= step).all()
    nearest = (exact.to(torch.float8_e4m3fn).float() - exact).mean().abs()
    assert (first.float() - exact).mean().abs() < 1e-3 + nearest


def test_merging_into_scaled_fp8_keeps_values_beyond_its_former_range(
    backbone_state: State, save: SaveState
) -> None:
    made, meant = scaled(backbone_state)
    lora = causvid(meant)
    model = load_backbone(save(made), dtype=torch.float32)
    merge_lora(model, save(lora, "lora.safetensors"), 5.0)
    target = merged(meant, lora, 5.0, (".lora_down.weight", ".lora_up.weight"), "diffusion_model.")
    without_pair = ("blocks.2.ffn.0", model.blocks[2].ffn.net[0].proj)
    for name, layer in (("blocks.0.self_attn.q", model.blocks[0].attn1.to_q), without_pair):
        exact, found = target[f"{name}.weight"], layer.weight.float() * layer.factor
        assert layer.weight.dtype == torch.float8_e4m3fn
        assert exact.abs().max() <= 448 * layer.factor * (1 + 1e-5)
        assert ((found - exact).abs() <= exact.abs() / 8 + layer.factor * 2.0**-9).all()
    assert exact.abs().max() == pytest.approx(float(448 * layer.factor), rel=1e-5)


def test_settings_of_peft_beside_its_file_or_within(backbone_state: State, save: SaveState) -> None:
    lora = causvid(backbone_state)
    state = {key.replace("lora_down", "lora_A").replace("lora_up", "lora_B"): t for key, t in lora.items()}
    model_path = save(backbone_state)

    def result(path: Path, strength: float) -> Tensor:
        model = load_backbone(model_path, dtype=torch.float32)
        apply_lora(model, path, strength)
        return run(model)

    doubled = result(save(state, "plain.safetensors"), 2.0)
    settings = '{"r": 4, "lora_alpha": 8}'
    within = save(state, "within.safetensors", {"lora_adapter_metadata": settings})
    assert torch.equal(result(within, 1.0), doubled)
    beside = save(state, "adapter_model.safetensors")
    beside.with_name("adapter_config.json").write_text(settings)
    assert torch.equal(result(beside, 1.0), doubled)
    assert torch.equal(result(save(state, "plain.safetensors"), 2.0), doubled)  # no neighbour's settings
    beside.with_name("adapter_config.json").write_text("{")
    with pytest.raises(BadInput, match=r"adapter_config\.json are damaged"):
        result(beside, 1.0)


def test_the_report_says_why(
    backbone_state: State, save: SaveState, caplog: pytest.LogCaptureFixture
) -> None:
    state = causvid(backbone_state) | {
        "lora_te_x.lora_up.weight": torch.zeros(4, 4),
        "x.diff": torch.zeros(2),
    }
    model = load_backbone(save(backbone_state), dtype=torch.float32)
    report = apply_lora(model, save(state, "lora.safetensors.safetensors")).report
    assert report.as_dict()["unmatched"].keys() == {"lora_te_x.lora_up.weight", "x.diff"}
    assert "lora.safetensors.safetensors changes 24 layers; 2 of its keys are not used: " in caplog.text
    assert "1 (lora_te_x.lora_up.weight, ...): it is for a text encoder" in caplog.text
