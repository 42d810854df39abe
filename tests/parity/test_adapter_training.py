"""What is trained as the demo's edit adapter is what runs, on the exported file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.edits.adapter.edit import AdapterEdit, SeenByAdapter
from reelpatch.edits.adapter.layout import POSITIONS_KEY, AdapterLayout
from reelpatch.edits.adapter.work import AdapterWork
from reelpatch.headless.hosts.wan_host import Moment, predict_velocity
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.text_encoder import load_text_encoder
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.weights.header import Kind, identify
from reelpatch.weights.oddities import oddities
from tests.golden.rounding import assert_rounds_alike, depth_of
from training import adapter, export
from training.adapter_model import InContext
from training.model import DemoFamily
from training.words import encode

SENTENCE = "recolour the circle"


def moved(parameters: list[Tensor], seed: int, spread: float) -> None:
    """Nothing left at zero, and all of it exact in bf16."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator) * spread
        parameter.copy_((parameter + noise).bfloat16().float())


@pytest.fixture(scope="module")
def family() -> DemoFamily:
    torch.manual_seed(0)
    family = DemoFamily()
    with torch.no_grad():
        moved(list(family.parameters()), 7, 0.05)
    return family


@pytest.mark.parametrize("positions", ["aligned", "sequence"])
@pytest.mark.parametrize(("frames", "has_reference"), [(3, True), (3, False), (1, True)])
def test_the_exported_adapter_predicts_what_the_trained_one_does(
    family: DemoFamily, positions: str, frames: int, has_reference: bool, tmp_path: Path
) -> None:
    export.export_family(family, tmp_path)
    before = adapter.weights_of(family)
    model = InContext(family, AdapterLayout.of({POSITIONS_KEY: positions}, "a test"))
    trained = {
        name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad
    }
    generator = torch.Generator().manual_seed(3)
    for name, weight in trained.items():
        # A difference, or an embedding, that bf16 holds as it is.
        change = (torch.randn(weight.shape, generator=generator) * 0.05).bfloat16().float()
        trained[name] = change if name.startswith("adapter.") else weight + change
    path = tmp_path / "diffusion_models" / "adapter.safetensors"
    adapter.write(adapter.file_tensors(trained, before), path, positions)
    latents, source, mask = (torch.randn(1, 16, frames, 8, 8, generator=generator) for _ in range(3))
    still = torch.randn(1, 16, 1, 8, 8, generator=generator) if has_reference else None
    with torch.no_grad():
        model.load_state_dict(trained, strict=False)
        text = family.embed_text(encode([SENTENCE]))
        expected = model(latents, torch.tensor([0.75]), text, source, mask, still)[0]
        model.load_state_dict({f"family.{name}": weight for name, weight in before.items()}, strict=False)
    seen = SeenByAdapter(source[0], mask[0], [] if still is None else [still[0]])
    assert_rounds_alike(hosted(tmp_path, path, latents, seen), expected, depth_of(model))


def test_training_goes_on_from_a_finished_file(family: DemoFamily, tmp_path: Path) -> None:
    before, path = adapter.weights_of(family), tmp_path / "adapter.safetensors"
    generator = torch.Generator().manual_seed(4)
    model = InContext(family, AdapterLayout())
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    changes = {
        name: (torch.randn(weight.shape, generator=generator) * 0.05).bfloat16()
        for name, weight in adapter.file_tensors(trained, before).items()
    }
    adapter.write(changes, path, "aligned")
    adapter.restore(model, load_file(path))
    found = adapter.file_tensors(trained, before)
    with torch.no_grad():
        for name, weight in family.blocks.named_parameters(prefix="blocks"):
            weight.copy_(before[name])
    assert found.keys() == changes.keys()
    for name, change in changes.items():
        # A sum of fp32 numbers up to 1 and the difference from it.
        torch.testing.assert_close(found[name], change.float(), rtol=0, atol=1e-6, msg=name)


def hosted(models: Path, path: Path, latents: Tensor, seen: SeenByAdapter) -> Tensor:
    folder = models / "diffusion_models"
    backbone = load_backbone(folder / "reelpatch_demo_t2v_bf16.safetensors", dtype=torch.float32)
    module = load_module(path, AdapterWork(), dtype=torch.float32)
    applied = apply_lora(backbone, path)
    assert not applied.report.unmatched
    encoder = load_text_encoder(
        models / "text_encoders" / "reelpatch_demo_umt5.safetensors", dtype=torch.float32
    )
    with torch.no_grad():
        return predict_velocity(
            backbone,
            latents,
            encoder.embed(SENTENCE),
            moment=Moment(0.75, 0, 4, (True,)),
            edits=[AdapterEdit(module, seen)],
        )[0]


def test_the_file_says_what_it_is(family: DemoFamily, tmp_path: Path) -> None:
    model = InContext(family, AdapterLayout())
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    path = tmp_path / "any.safetensors"
    adapter.write(adapter.file_tensors(trained, adapter.weights_of(family)), path, "aligned")
    found = identify(path)
    assert found.kind is Kind.EDIT_ADAPTER
    assert found.words == "an edit adapter (128 wide, 16 channels, full differences of layers)"
    assert found.metadata[POSITIONS_KEY] == "aligned"
    assert oddities(found) == ()
