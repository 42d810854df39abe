"""A family of models that lies in one folder of somebody else's, and one line that registers it: no other file knows it."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from reelpatch.edits.contract import Moment
from reelpatch.edits.registry import EDIT_KINDS
from reelpatch.errors import BadInput
from reelpatch.families.registry import FAMILIES
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.media.video_io import read_video
from reelpatch.recipes import RECIPES, recipe
from reelpatch.recipes.record import WeightFile
from tests.toy_family.family import TOY_FAMILY, ToyFile
from tests.toy_family.models import predict
from tests.toy_family.transformer import drawn
from tests.toy_kind.sharing import OtherKeysValues

Captured = pytest.CaptureFixture[str]
BACKBONE, VAE = "toy_backbone.safetensors", "toy_vae.safetensors"


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family and a kind of edit, each by its line, and a recipe of both."""
    monkeypatch.setattr(FAMILIES, "_places", dict(FAMILIES._places))
    FAMILIES.register("toy", "tests.toy_family.family", "TOY_FAMILY")
    monkeypatch.setattr(EDIT_KINDS, "_places", dict(EDIT_KINDS._places))
    EDIT_KINDS.register("toy", "tests.toy_kind.kind", "TOY")
    demo = recipe("demo")
    files = (
        WeightFile("backbone", (BACKBONE,), "", None, "", kind=ToyFile.BACKBONE),
        WeightFile("vae", (VAE,), "", None, "", kind=ToyFile.VAE),
        *demo.files_for("text_encoder"),
    )
    toy = replace(demo, name="toy", family="toy", kind="toy", files=files, skip_layers=None)
    monkeypatch.setitem(RECIPES, "toy", toy)  # type: ignore[arg-type]


@pytest.fixture
def models(tmp_path: Path, models_folder: Path) -> Path:
    """A models folder with the toy's weights, and the demo's text encoder."""
    folder = tmp_path / "models"
    transformer, vae = drawn()
    for name, model in ((f"diffusion_models/{BACKBONE}", transformer), (f"vae/{VAE}", vae)):
        (folder / name).parent.mkdir(parents=True)
        save_file(model.state_dict(), folder / name)
    shutil.copytree(models_folder / "text_encoders", folder / "text_encoders")
    return folder


def run(capsys: Captured, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


def edited(capsys: Captured, models: Path, clip: Path, target: Path, strength: float = 1.0) -> np.ndarray:
    words = ("edit", clip, "make it sepia", "--recipe", "toy", "--strength", strength, "--lossless")
    answer = run(capsys, *words, "--models", models, "--output", target)
    assert (answer["frames"], answer["width"], answer["height"]) == (9, 32, 32)
    return read_video(target, folder_fps=Fraction(1)).frames


def test_its_files_are_inspected(capsys: Captured, models: Path) -> None:
    paths = models / "diffusion_models" / BACKBONE, models / "vae" / VAE
    told = run(capsys, "inspect", *paths)["files"]
    assert [(one["kind"], one["what"], one["folder"]) for one in told] == [
        ("backbone", "a toy backbone (64 wide)", "diffusion_models"),
        ("vae", "a toy VAE (8 channels)", "vae"),
    ]
    assert [one["works_with"] for one in told] == ["the toy VAE", "toy backbones"]


def test_a_plan_counts_its_tokens_and_its_numbers(capsys: Captured, models: Path) -> None:
    plan = run(
        capsys, "plan", "--recipe", "toy", "--size", "36x28", "--frames", 7, "--models", models, "--ram", 16
    )
    transformer, _ = drawn()
    assert plan["tokens"] == 4 * 7 * 9  # of 7 frames in pairs behind the first, in cells of 4 pixels
    assert plan["parameters"]["backbone"] == sum(part.numel() for part in transformer.parameters())
    assert plan["parameters"]["module"] == 0


def test_its_lengths_and_sizes_are_its_own(capsys: Captured, models: Path) -> None:
    for words in (("--frames", 8, "--size", "32x32"), ("--frames", 9, "--size", "30x32")):
        assert main(["plan", "--recipe", "toy", "--models", str(models), *map(str, words)]) == BAD_INPUT
    said = capsys.readouterr().err
    assert "(2n + 1)" in said
    assert "multiples of 4 pixels" in said


def test_sizes_are_not_known_without_its_files(capsys: Captured, tmp_path: Path) -> None:
    assert main(["plan", "--recipe", "toy", "--models", str(tmp_path)]) == BAD_INPUT
    assert f"the sizes of {BACKBONE} are not known" in capsys.readouterr().err


def test_an_edit_runs_it(capsys: Captured, models: Path, clip_path: Path, tmp_path: Path) -> None:
    off, half, full = (
        edited(capsys, models, clip_path, tmp_path / f"{strength}.mkv", strength)
        for strength in (0.0, 0.5, 1.0)
    )
    assert not np.array_equal(off, half)
    assert not np.array_equal(half, full)
    again = edited(capsys, models, clip_path, tmp_path / "again.mkv")
    assert np.array_equal(full, again)


def test_it_takes_no_files_of_another_family(
    capsys: Captured, models: Path, models_folder: Path, clip_path: Path
) -> None:
    wan = next((models_folder / "vae").glob("*.safetensors"))
    shutil.copy(wan, models / "vae" / VAE)
    assert (
        main(["edit", str(clip_path), "make it sepia", "--recipe", "toy", "--models", str(models)])
        == BAD_INPUT
    )
    said = capsys.readouterr().err
    assert "is a Wan2.1 VAE" in said
    assert "a toy VAE is needed here" in said


def test_its_vae_gives_back_the_colours_of_cells() -> None:
    _, vae = drawn()
    lattice = TOY_FAMILY.lattice
    small = torch.rand(3, lattice.latent_frames(5), 4, 6)
    video = small.repeat_interleave(2, 1)[:, 1:].repeat_interleave(4, 2).repeat_interleave(4, 3)
    latents = vae.encode(video)
    assert latents.shape == lattice.latent_shape(5, (16, 24))
    # 8 bits tell steps of 2 / 255; sums of 8 products in fp32 stay far below.
    assert float((vae.decode(latents) - video).abs().max()) < 1e-4


def test_a_family_that_only_comfyui_runs_says_so(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, models: Path, clip_path: Path
) -> None:
    monkeypatch.setattr("tests.toy_family.family.TOY_FAMILY", replace(TOY_FAMILY, headless=None))
    assert (
        main(["edit", str(clip_path), "make it sepia", "--recipe", "toy", "--models", str(models)])
        == BAD_INPUT
    )
    assert "models of the family 'toy' run in ComfyUI alone" in capsys.readouterr().err


def test_its_host_refuses_what_it_cannot_do() -> None:
    moment = Moment(sigma=0.5, step=0, num_steps=2, conditional=(True,))
    refusal = (
        "OtherKeysValues cannot run in the toy host: this host cannot let an edit replace the keys and values"
    )
    with pytest.raises(BadInput, match=refusal):
        predict(
            drawn()[0],
            torch.zeros(1, 8, 1, 2, 2),
            torch.zeros(1, 2, 4096),
            moment=moment,
            edits=[OtherKeysValues()],
        )


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(
        BadInput, match=r"there is no family of models 'other': use one of wan, wan-5b, hunyuan-1\.5, toy"
    ):
        FAMILIES.find("other")
