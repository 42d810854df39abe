"""ReCo's pair canvas through the editor: what the model is shown, what of it is given back, and which files it takes."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.frames import fit, plan_fit
from reelpatch.edits.canvas.work import CanvasWork, pair_canvas, reference_canvas
from reelpatch.edits.vace.context import build_context
from reelpatch.edits.work import EditSettings, Material
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.recipe_files import look_for_files
from reelpatch.plan.job import Job
from reelpatch.recipes import Recipe, Role, recipe
from reelpatch.weights.header import identify
from tests.conftest import moving_square
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import plain, write
from tests.unit.weights.fixtures.models import Shapes

CLIP = to_floats(moving_square())
PLAN = plan_fit(9, 32, 32, lattice=WAN.lattice)
HALF = torch.zeros(9, 32, 32)
HALF[:, :, 16:] = 1


def averaged(video: Tensor) -> Tensor:
    """Stands for a VAE where only places and shapes matter: the mean of each cell, 16 times."""
    small = torch.nn.functional.avg_pool3d(video[:, ::4], (1, 8, 8))
    return small.repeat(6, 1, 1, 1)[:16]


def tiny(name: str = "reco") -> Recipe:
    """The method on the demo's files, in two steps."""
    files = tuple(file for file in recipe("demo").files if file.role != "lora")
    return replace(recipe(name), files=files, steps=2)


def test_the_source_is_kept_at_the_left_and_the_right_is_made() -> None:
    canvas, mask = pair_canvas(CLIP)
    assert canvas.shape == (9, 32, 64, 3)
    assert torch.equal(canvas[:, :, :32], CLIP)
    assert (canvas[:, :, 32:] == 0.5).all()  # 0 in the VAE's numbers
    assert mask[:, :, :32].max() == 0
    assert mask[:, :, 32:].min() == 1


def test_a_given_first_frame_stands_at_the_right_and_is_kept(models_folder: Path) -> None:
    """As ReCo's tasks that follow an edited frame lay it out."""
    given = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(4))
    canvas, mask = pair_canvas(CLIP, given)
    assert torch.equal(canvas[:, :, :32], CLIP)
    assert torch.equal(canvas[0, :, 32:], given)
    assert (canvas[1:, :, 32:] == 0.5).all()
    assert mask[:, :, :32].max() == mask[0].max() == 0
    assert mask[1:, :, 32:].min() == 1
    wide = plan_fit(9, 32, 32, lattice=WAN.lattice, size=(32, 48), method="pad")
    prepared = CanvasWork().prepare(
        Material(CLIP, wide, first_frame=given), EditSettings(method=recipe("reco").canvas), averaged
    )
    fitted = fit(torch.cat([given[None], CLIP[1:]]), wide)
    by_hand = build_context(
        *pair_canvas(fit(CLIP, wide), fitted[0]), [], averaged, frames=9, height=32, width=96
    )
    assert torch.equal(prepared.seen, by_hand)
    editor = Editor(tiny(), models_folder)
    assert not torch.equal(editor.render(CLIP, "x", first_frame=given), editor.render(CLIP, "x"))
    with pytest.raises(BadInput, match="'demo' works on no pair canvas"):
        Editor(recipe("demo"), models_folder).render(CLIP, "x", first_frame=given)


def test_a_reference_is_whole_at_the_right_of_white() -> None:
    image = torch.zeros(10, 40, 3)
    made = reference_canvas(image, 32, 48)
    assert made.shape == (32, 96, 3)
    assert (made[:, :48] == 1).all()
    assert (made[10:22, 48:] == 0).all()
    assert (made[:10, 48:] == 1).all()


def test_what_is_prepared_is_vace_of_the_canvas() -> None:
    still = torch.rand(20, 30, 3)
    settings = EditSettings(method=recipe("reco-ref").canvas)
    prepared = CanvasWork().prepare(Material(CLIP, PLAN, HALF, [still]), settings, averaged)
    assert (prepared.shape, prepared.references, prepared.left_px) == ((16, 1 + 3, 4, 8), 1, 32)
    canvas, mask = pair_canvas(CLIP)
    beside = reference_canvas(still, 32, 32)
    by_hand = build_context(canvas, mask, [beside], averaged, frames=9, height=32, width=64)
    assert torch.equal(prepared.seen, by_hand)


def test_the_right_half_is_given_back(models_folder: Path) -> None:
    editor = Editor(tiny(), models_folder)
    shown: list[Tensor] = []
    decode = editor.vae.decode
    editor.vae.decode = lambda latents: shown.append(decode(latents)) or shown[-1]  # type: ignore[method-assign]
    edited = editor.render(CLIP, "make it sepia")
    assert edited.shape == CLIP.shape
    assert shown[0].shape == (3, 9, 32, 64)
    assert torch.equal(edited, (shown[0][:, :, :, 32:].permute(1, 2, 3, 0) + 1) / 2)
    assert not torch.equal(edited, editor.render(CLIP.flip(2), "make it sepia"))
    kept = editor.edit(CLIP, "make it sepia", mask=HALF)
    assert torch.equal(kept[:, :, :16], CLIP[:, :, :16])
    assert torch.equal(kept[:, :, 16:], edited[:, :, 16:])


def test_references_are_for_the_weights_that_were_trained_with_them(models_folder: Path) -> None:
    still = torch.rand(20, 30, 3)
    with pytest.raises(BadInput, match=r"1 references were given, .* looks at none: .* use reco-ref"):
        Editor(tiny(), models_folder).render(CLIP, "x", references=[still])
    editor = Editor(tiny("reco-ref"), models_folder)
    assert not torch.equal(editor.render(CLIP, "x", references=[still]), editor.render(CLIP, "x"))
    with pytest.raises(BadInput, match="2 references were given, but this method looks at 1"):
        editor.render(CLIP, "x", references=[still, still])


def test_the_plan_counts_the_canvas() -> None:
    job = Job(recipe("reco"), 81, (480, 832))
    assert job.tokens == 21 * 30 * 104 == 65_520
    assert replace(job, recipe=recipe("reco-ref"), references=1).tokens == 22 * 30 * 104
    assert job.pixels == 81 * 480 * 1664
    assert len(list(job.passes())) == 100


def _pickled(models: Path, folder: Path, name: str) -> Path:
    """ReCo's LoRA as it is published: a pickle with PEFT's names, on backbone and edit module."""
    demo = recipe("demo")
    backbone = load_file(models / "diffusion_models" / demo.files_for("backbone")[0].names[0])
    state: dict[str, Tensor] = {}
    for stack in ("blocks", "vace_blocks"):
        for layer in ("self_attn.q", "self_attn.o", "cross_attn.k", "ffn.0", "ffn.2"):
            rows, columns = backbone[f"blocks.0.{layer}.weight"].shape
            key = f"{stack}.0.{layer}"
            state[f"{key}.lora_A.default.weight"] = torch.randn(2, columns)
            state[f"{key}.lora_B.default.weight"] = torch.randn(rows, 2) / 10
    path = folder / "loras" / name
    torch.save(state, path)
    return path


def test_its_lora_is_read_as_published_and_as_converted(models_folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(models_folder, tmp_path / "models")
    lora = recipe("reco").files_for("lora")[0]
    record = replace(tiny(), files=(*tiny().files, lora))
    with pytest.raises(BadInput, match=r"ReCo_ori_rank128-2025_m12_version.ckpt .*get it from https://hugg"):
        Editor(record, own)
    _pickled(own, own, lora.names[0])
    (status,) = (one for one in look_for_files(record, own) if one.file.role == "lora")
    assert status.found is not None
    assert status.found.words == "a LoRA (rank 2, for a VACE model)"
    editor = Editor(record, own)
    edited = editor.render(CLIP, "make it sepia")
    (report,) = editor.lora_reports
    assert (report.num_layers, dict(report.unmatched)) == (10, {})
    assert not torch.equal(edited, Editor(tiny(), own).render(CLIP, "make it sepia"))


def test_its_lora_becomes_safetensors(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = shutil.copytree(models_folder, tmp_path / "models")
    pickled = _pickled(own, own, "ReCo_ori_rank128-2025_m12_version.ckpt")
    assert main(["convert", str(pickled), "--out", str(tmp_path / "out")]) == DONE
    assert "a LoRA (rank 2, for a VACE model)" in capsys.readouterr().err
    made = tmp_path / "out" / "ReCo_ori_rank128-2025_m12_version.safetensors"
    state, before = load_file(made), torch.load(pickled, weights_only=True)
    assert state.keys() == before.keys()
    assert all(torch.equal(one, before[key]) for key, one in state.items())
    assert identify(made).words == "a LoRA (rank 2, for a VACE model)"
    before["blocks.0.ffn.0.lora_A.default.weight"][0, 0] = torch.nan
    torch.save(before, pickled)
    assert main(["convert", str(pickled), "--out", str(tmp_path / "nan")]) == BAD_INPUT
    assert not (tmp_path / "nan").exists()


@pytest.mark.parametrize(
    ("role", "shapes"), [("backbone", models.t2v_14b), ("module", models.vace_module_14b)]
)
def test_reco_takes_the_small_models_alone(role: Role, shapes: Callable[[], Shapes], tmp_path: Path) -> None:
    (file,) = recipe("reco").files_for(role)
    path = tmp_path / file.folder / file.names[0]
    path.parent.mkdir()
    write(path, plain(shapes(), "BF16"))
    (status,) = (one for one in look_for_files(recipe("reco"), tmp_path) if one.file.role == role)
    assert status.found is None
    assert "14B" in status.problem
    assert "the recipe needs the 1.3B model" in status.problem
