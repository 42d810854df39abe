"""Where the weight files of a recipe are on this machine; a file is what its header says, whatever its name."""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.loading import find_file
from reelpatch.headless.weight_files import expect_weights
from reelpatch.recipes import Recipe, Role, WeightFile
from reelpatch.weights.header import KnownFile

SHIPPED_MODELS = Path(__file__).parent / "demo" / "models"
COMFYUI_PATH = "COMFYUI_PATH"
# Of these roles any file of the kind serves; what a backbone, a module or a LoRA was trained for, no header tells.
_INTERCHANGEABLE: tuple[Role, ...] = ("vae", "text_encoder", "clip_vision")
_SHOWN_AS_GB = 10**8
_HIGH_NOISE = re.compile(r"high[_-]?noise|[_-]HIGH([_.-]|$)")


@dataclass(frozen=True)
class RecipeFiles:
    """One path for each role, and the LoRAs with their strengths; recipes that edit nothing have no module."""

    backbone: Path
    module: Path | None
    vae: Path
    text_encoder: Path
    loras: tuple[tuple[Path, float], ...]

    @classmethod
    def find(cls, recipe: Recipe, models: Path | None = None) -> "RecipeFiles":
        """The files, each looked at as far as its header.

        Raises: `BadInput` for a file that is missing (naming it, its folder and where to get it), damaged, or
        something else than its name says; for a module and a backbone of different sizes; for a recipe that can't
        be run yet.
        """
        recipe.check_runnable()
        folder = models_folder(recipe, models)
        found = {file: find_weights(file, folder) for file in recipe.files}

        def one(role: Role) -> KnownFile:
            return found[recipe.files_for(role)[0]]

        module = one("module") if recipe.files_for("module") else None
        if module is not None:
            _check_pair(one("backbone"), module)
        return cls(
            backbone=one("backbone").path,
            module=None if module is None else module.path,
            vae=one("vae").path,
            text_encoder=one("text_encoder").path,
            loras=tuple((found[file].path, file.strength) for file in recipe.files_for("lora")),
        )

    def describe(self) -> str:
        """How large the weights are, for the person who is about to wait for them."""
        # One file can be both backbone and edit module.
        transformer = {self.backbone, self.module or self.backbone, *(path for path, _ in self.loras)}
        return (
            f"Weights to be held: {_size(transformer)} of transformer with edit module and LoRAs, "
            f"{_size({self.text_encoder})} of text encoder, {_size({self.vae})} of VAE; 'reelpatch plan' says what memory "
            "that takes."
        )


@dataclass(frozen=True)
class FileStatus:
    """Whether a file of a recipe is there: the one that serves, or why there is none, in a sentence."""

    file: WeightFile
    found: KnownFile | None
    problem: str

    def as_dict(self) -> dict[str, Any]:
        """The status in plain types."""
        found = None if self.found is None else {"path": str(self.found.path), "is": self.found.words}
        return self.file.as_dict() | {"found": found, "problem": self.problem or None}


def look_for_files(recipe: Recipe, folder: Path) -> tuple[FileStatus, ...]:
    """The state of each file of a recipe in a models folder; nothing is changed."""
    statuses: list[FileStatus] = []
    for file in recipe.files:
        try:
            statuses.append(FileStatus(file, find_weights(file, folder), ""))
        except BadInput as problem:
            statuses.append(FileStatus(file, None, str(problem)))
    return tuple(statuses)


def models_folder(recipe: Recipe, models: Path | None) -> Path:
    """The folder given, else what comes with the package for recipes that need nothing more, else ComfyUI's.

    Raises: `BadInput` when there is none.
    """
    if models is None and not any(file.url for file in recipe.files):
        return SHIPPED_MODELS
    comfyui = os.environ.get(COMFYUI_PATH)
    if models is None and comfyui:
        models = Path(comfyui) / "models"
    if models is None:
        raise BadInput(
            f"the recipe '{recipe.name}' needs a models folder: name one of ComfyUI's layout (--models DIR), "
            f"or set {COMFYUI_PATH} to a ComfyUI folder."
        )
    if not models.is_dir():
        raise BadInput(f"the models folder {models} does not exist: give one that does (--models).")
    return models


def find_weights(file: WeightFile, folder: Path) -> KnownFile:
    """The file under one of its names, else under any name where all of its kind are alike.

    Raises: `BadInput` where there is none, and for one that is not what its name says.
    """
    try:
        path = find_file(folder, file.folder, file.names, source=file.url or "a complete copy of Reelpatch")
    except BadInput:
        other = next(_others(file, folder), None) if file.role in _INTERCHANGEABLE else None
        if other is None:
            raise
        return other
    return check_weights(path, file)


def check_weights(path: Path, file: WeightFile) -> KnownFile:
    """The file at `path`, if its header says that it can be this file of a recipe.

    Raises: `BadInput` for another kind or size of model, and for a high-noise expert where the low one is needed.
    """
    known = expect_weights(path, *file.kinds)
    if file.size and known.size and known.size != file.size:
        raise BadInput(
            f"{path} is {known.words}, but the recipe needs the {file.size} model: get {file.names[0]} from "
            f"{file.url}."
        )
    if file.expert == "low" and _HIGH_NOISE.search(path.name):
        raise BadInput(
            f"{path} is by its name the high-noise expert, but the low-noise one is needed: get {file.names[0]} from "
            f"{file.url}."
        )
    return known


def _size(paths: Collection[Path]) -> str:
    num_bytes = sum(path.stat().st_size for path in paths)
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= _SHOWN_AS_GB else f"{num_bytes / 1e6:.1f} MB"


def _others(file: WeightFile, folder: Path) -> Iterator[KnownFile]:
    for path in sorted((folder / file.folder).glob("**/*.safetensors")):
        try:
            yield check_weights(path, file)
        except BadInput:
            continue


def _check_pair(backbone: KnownFile, module: KnownFile) -> None:
    widths = backbone.width, module.width
    if all(widths) and widths[0] != widths[1]:
        raise BadInput(
            f"{module.path} is {module.words}, {widths[1]} wide, but {backbone.path} is {backbone.words}, "
            f"{widths[0]} wide: a module works with the backbone of its own size alone, choose a pair."
        )
