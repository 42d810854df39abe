"""`plan`, `recipes` and `edit` find the same weight files, and refuse the same ones in the same words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.commands.show_recipe import show_recipe
from reelpatch.headless.models.recipe_files import RecipeFiles, headers_found
from reelpatch.recipes import WeightFile, recipe
from reelpatch.recipes.finder import find_present, find_weights, places_in

State = dict[str, Tensor]
Captured = pytest.CaptureFixture[str]
DEMO = recipe("demo")
BACKBONE, VAE, TEXT = (f"{file.folder}/{file.names[0]}" for role in ("backbone", "vae", "text_encoder") for file in DEMO.files_for(role))  # fmt: skip


@pytest.fixture
def models(models_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_folder, tmp_path / "models"))


def moved(models: Path, file: str, place: str) -> Path:
    target = models / place
    target.parent.mkdir(parents=True, exist_ok=True)
    return (models / file).rename(target)


def below_a_link(models: Path) -> Path:
    target = moved(models, BACKBONE, f"elsewhere/{Path(BACKBONE).name}")
    (models / "diffusion_models" / "wan").symlink_to("../elsewhere")
    (models / "elsewhere" / "round").symlink_to("..")  # which never ends, if it is followed
    return models / "diffusion_models" / "wan" / target.name


FORMS: dict[str, Callable[[Path], Path]] = {
    "as published": lambda models: models / BACKBONE,
    "in unet": lambda models: moved(models, BACKBONE, f"unet/{Path(BACKBONE).name}"),
    "upper case": lambda models: moved(models, BACKBONE, BACKBONE.replace(".safetensors", ".SAFETENSORS")),
    "in a folder within": lambda models: moved(
        models, BACKBONE, f"diffusion_models/Wan/2.1/{Path(BACKBONE).name}"
    ),
    "below a link": below_a_link,
    "extension doubled": lambda models: moved(models, BACKBONE, f"{BACKBONE}.safetensors"),
    "VAE renamed": lambda models: moved(models, VAE, "vae/mine.safetensors"),
    "VAE renamed, upper case": lambda models: moved(models, VAE, "vae/within/mine.SAFETENSORS"),
    "text encoder renamed, in clip": lambda models: moved(models, TEXT, "clip/mine.safetensors"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_verb_finds_the_same_files(form: str, models: Path, capsys: Captured) -> None:
    other = moved(models, VAE, "vae/zz.safetensors") if form == "in unet" else None
    path = FORMS[form](models)
    files = RecipeFiles.find(DEMO, models)
    of_edit = {
        "backbone": files.backbone,
        "module": files.module,
        "vae": files.vae,
        "text_encoder": files.text_encoder,
        "lora": files.loras[0][0],
    }
    assert path in of_edit.values()
    assert other in (None, files.vae)
    assert {role: known.path for role, known in headers_found(DEMO, models).items()} == of_edit
    assert show_recipe("demo", models, fetches=False)[0]["ready"] is True
    assert main(["plan", "--models", str(models), "--json"]) == DONE
    assert set(json.loads(capsys.readouterr().out)["sizes_from_files"]) == set(of_edit)


def changed(models: Path, change: Callable[[State], State]) -> None:
    save_file(change(load_file(models / BACKBONE)), models / BACKBONE)


def is_matrix(key: str, tensor: Tensor) -> bool:
    return key.startswith("blocks") and tensor.ndim == 2 and key.endswith("weight")


def to_nothing(models: Path) -> None:
    (models / VAE).unlink()
    (models / VAE).symlink_to("/nowhere/at/all.safetensors")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "checkpoint": (
        lambda models: changed(models, lambda state: {f"model.diffusion_model.{key}": tensor for key, tensor in state.items()} | {"first_stage_model.conv1.weight": torch.zeros(1)}),
        "is a checkpoint, which has VAE or text encoder within",
    ),
    "int8": (
        lambda models: changed(models, lambda state: {key: tensor.to(torch.int8) if is_matrix(key, tensor) else tensor for key, tensor in state.items()}),
        "as I8, a way of quantising that is not read here",
    ),
    "SVDQuant": (
        lambda models: changed(models, lambda state: {key.replace(".weight", ".qweight"): tensor for key, tensor in state.items()}),
        "is quantised by GPTQ, AWQ or SVDQuant",
    ),
    "a key less": (
        lambda models: changed(models, lambda state: {key: tensor for key, tensor in state.items() if key != "blocks.1.ffn.0.bias"}),
        "lacks blocks.1.ffn.0.bias",
    ),
    "a key more": (
        lambda models: changed(models, lambda state: state | {"blocks.0.adapter.weight": torch.zeros(2)}),
        "has unknown keys blocks.0.adapter.weight",
    ),
    "a wrong shape": (
        lambda models: changed(models, lambda state: state | {"blocks.1.ffn.0.bias": torch.zeros(2)}),
        "has in wrong shapes blocks.1.ffn.0.bias",
    ),
    "a link to nothing": (to_nothing, "is a link to /nowhere/at/all.safetensors, where there is no file"),
}  # fmt: skip


@pytest.mark.parametrize("form", BROKEN)
def test_every_verb_refuses_in_the_same_words(
    form: str, models: Path, clip_path: Path, tmp_path: Path, capsys: Captured
) -> None:
    breaks, words = BROKEN[form]
    breaks(models)

    def refusal(*arguments: object) -> str:
        assert main([*map(str, arguments), "--models", str(models), "--json"]) == BAD_INPUT
        return json.loads(capsys.readouterr().out)["error"]

    sentence = refusal("plan")
    assert words in sentence
    assert refusal("edit", clip_path, "make it sepia", "--output", tmp_path / "out.mkv") == sentence
    problems = [file["problem"] for file in show_recipe("demo", models, fetches=False)[0]["files"]]
    assert [problem for problem in problems if problem] == [sentence]


def test_names_go_before_folders_and_hidden_files_are_none(tmp_path: Path, models_folder: Path) -> None:
    (file,) = DEMO.files_for("backbone")
    named = WeightFile(**{**vars(file), "names": ("first.safetensors", "second.safetensors")})
    deep = tmp_path / "diffusion_models" / "a" / "second.safetensors"
    old = tmp_path / "unet" / "first.safetensors"
    hidden = tmp_path / "diffusion_models" / ".cache" / "first.safetensors"
    for path in (deep, old, hidden):
        path.parent.mkdir(parents=True)
        shutil.copyfile(models_folder / BACKBONE, path)
    shutil.copyfile(models_folder / VAE, deep.with_name("._first.safetensors"))
    found = find_weights(named, places_in(tmp_path))
    assert found
    assert found.path == old
    old.unlink()
    found = find_weights(named, places_in(tmp_path))
    assert found
    assert found.path == deep
    deep.unlink()
    assert find_weights(named, places_in(tmp_path)) is None
    assert find_present(DEMO, places_in(tmp_path)) == {}


def test_what_is_missing_is_planned_with_published_sizes(models: Path) -> None:
    (models / BACKBONE).unlink()
    assert set(headers_found(DEMO, models)) == {"module", "vae", "text_encoder", "lora"}
    with pytest.raises(BadInput, match=r"is not in .*diffusion_models; get it from a complete copy"):
        RecipeFiles.find(DEMO, models)
