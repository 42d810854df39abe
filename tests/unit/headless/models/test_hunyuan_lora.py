"""LoRAs for HunyuanVideo-1.5: in every naming that files have they are the merged transformer, beside the weights and within them."""

import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.kinds import Kind
from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.chosen_lora import ChosenLora
from reelpatch.headless.models.lora import apply_lora, merge_lora, remove_lora
from reelpatch.recipes import recipe
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.weights.weight_files import expect_weights
from tests.golden import tiny_hunyuan as tiny

RANK, STRENGTH, ALPHA = 2, 0.7, 4.0
BLOCK, REFINER = "transformer_blocks.1", "context_embedder.token_refiner.refiner_blocks.0"
ALONE = (
    *(
        f"{BLOCK}.{name}"
        for name in ("attn.to_out.0", "attn.to_add_out", "ff.net.0.proj", "ff_context.net.2")
    ),
    *(f"{BLOCK}.norm1.linear", "norm_out.linear", "image_embedder.linear_1", "x_embedder.proj"),
)
NAMINGS = ("diffusers", "ComfyUI", "original", "kohya")


def pairs() -> dict[str, tuple[Tensor, Tensor]]:
    """By layer what goes in and what comes out, drawn."""
    shapes = {name: tensor.shape for name, tensor in tiny.transformer().state_dict().items()}
    draw, made = torch.Generator().manual_seed(1), {}
    for group in (*_groups(), *([layer] for layer in ALONE)):
        # Layers that files for ComfyUI keep in one share what goes in.
        inner = shapes[f"{group[0]}.weight"][1:].numel()
        down = torch.randn(RANK, inner, generator=draw) / inner**0.5
        for layer in group:
            made[layer] = (down, torch.randn(shapes[f"{layer}.weight"][0], RANK, generator=draw))
    return made


def _groups() -> list[list[str]]:
    names = (("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj"))
    return [[f"{BLOCK}.attn.{one}" for one in group] for group in names] + [
        [f"{REFINER}.attn.{one}" for one in names[0]]
    ]


def written(path: Path, naming: str) -> Path:
    """The LoRA as a file in a naming."""
    made = pairs()
    if naming == "diffusers":
        state = {f"transformer.{layer}.lora_A.weight": down for layer, (down, _) in made.items()}
        state |= {f"transformer.{layer}.lora_B.weight": up for layer, (_, up) in made.items()}
    else:
        which = tiny.COMFY if naming == "ComfyUI" else tiny.ORIGINAL
        fuses = naming == "ComfyUI"
        ups = tiny.in_naming({f"{layer}.weight": up for layer, (_, up) in made.items()}, which, fuses=fuses)
        downs = tiny.in_naming(
            {f"{layer}.weight": down.flip(0) if layer == "norm_out.linear" else down for layer, (down, _) in made.items()},
            which,
            fuses=fuses,
        )  # fmt: skip
        state: dict[str, Tensor] = {}
        for name, up in ups.items():
            layer = name.removesuffix(".weight")
            first = {"ComfyUI": f"diffusion_model.{layer}", "original": layer}.get(
                naming, f"lora_unet_{layer.replace('.', '_')}"
            )
            halves = ("lora_A", "lora_B") if naming == "ComfyUI" else ("lora_down", "lora_up")
            state[f"{first}.{halves[0]}.weight"] = downs[name][:RANK]
            state[f"{first}.{halves[1]}.weight"] = up
    if naming == "kohya":
        layers = {key.rpartition(".lora_")[0] for key in state}
        state |= {f"{layer}.alpha": torch.tensor(ALPHA) for layer in layers}
    save_file({key: tensor.clone().contiguous() for key, tensor in state.items()}, path)
    return path


def merged(strength: float) -> dict[str, Tensor]:
    """The transformer's tensors with the LoRA added to them."""
    state = tiny.transformer().state_dict()
    for layer, (down, up) in pairs().items():
        weight = state[f"{layer}.weight"]
        state[f"{layer}.weight"] = weight + strength * (up @ down).view(weight.shape)
    return state


@pytest.mark.parametrize("naming", NAMINGS)
def test_it_is_the_merged_transformer_in_every_naming(naming: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", naming)
    file = expect_weights(path, Kind.LORA)
    assert "HunyuanVideo-1.5 backbone" in file.words
    model = deepcopy(tiny.transformer())
    report = merge_lora(model, path, STRENGTH)
    assert (report.num_layers, report.unmatched) == (len(pairs()), {})
    expected = merged(STRENGTH * (ALPHA / RANK if naming == "kohya" else 1))
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(
            tensor, expected[name], atol=1e-6, rtol=1e-5
        )  # sums of fp32 in another order
    beside = deepcopy(tiny.transformer())
    before = {name: tensor.clone() for name, tensor in beside.state_dict().items()}
    applied = apply_lora(beside, path, STRENGTH)
    assert (applied.report.num_layers, applied.report.unmatched) == (len(pairs()), {})
    remove_lora(beside)
    assert all(torch.equal(tensor, before[name]) for name, tensor in beside.state_dict().items())


def test_an_edit_with_it_is_the_edit_by_the_merged_file(tmp_path: Path) -> None:
    folder = tiny.write_models(tmp_path / "models")
    path = written(tmp_path / "x.safetensors", "ComfyUI")
    own = shutil.copytree(folder, tmp_path / "merged")
    state = tiny.in_naming(merged(STRENGTH), tiny.COMFY, fuses=True)
    save_file(state, own / "diffusion_models" / "capybara_v0.1.safetensors")
    clip = torch.rand(5, 32, 48, 3, generator=torch.Generator().manual_seed(0))
    settings = replace(recipe("capybara"), steps=2)
    lora = ChosenLora(path, StrengthSchedule((STRENGTH,)))
    plain, beside, within = (
        Editor(settings, models, dtype="fp32", loras=loras).render(clip, "make it night", seed=1)
        for models, loras in ((folder, ()), (folder, (lora,)), (own, ()))
    )
    assert (plain - within).abs().max() > 0.02  # it changes the edit
    # Two products in place of one, in 3 blocks and 2 steps, then the VAE; of [0, 1].
    assert (beside - within).abs().max() < 1e-3


def test_inspect_says_what_it_is_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(written(tmp_path / "x.safetensors", "ComfyUI")), "--json"]) == DONE
    assert "HunyuanVideo-1.5 backbone" in json.dumps(json.loads(capsys.readouterr().out))


def test_one_of_a_model_with_layers_of_the_same_names_is_another_s(tmp_path: Path) -> None:
    layer = "diffusion_model.double_blocks.0.img_attn.qkv"
    state = {f"{layer}.lora_A.weight": torch.ones(2, 3072), f"{layer}.lora_B.weight": torch.ones(3 * 3072, 2)}
    save_file(state, tmp_path / "flux.safetensors")
    with pytest.raises(BadInput, match="HunyuanVideo or FLUX: none of its layers is one of a Wan or"):
        expect_weights(tmp_path / "flux.safetensors", Kind.LORA)
