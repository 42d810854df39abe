"""Where the weight files of a recipe are on this machine; a file is what its header says, whatever its name."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.recipes import Recipe, Role, WeightFile
from reelpatch.recipes.finder import check_experts, check_pair, find_present, find_weights, places_in
from reelpatch.weights.completeness import check_complete
from reelpatch.weights.header import KnownFile

SHIPPED_MODELS = Path(__file__).parents[1] / "demo" / "models"
COMFYUI_PATH = "COMFYUI_PATH"
_SHOWN_AS_GB = 10**8


@dataclass(frozen=True)
class RecipeFiles:
    """One path for each role, and the LoRAs with their strengths; recipes without an edit module have none, and only those for
    pictures have a picture encoder. Where two experts follow each other, `backbone` is the one for high noise. The module
    `has_lora_within` where it changes the backbone too. A `glyph_encoder` reads quoted text.
    """

    backbone: Path
    module: Path | None
    vae: Path
    text_encoder: Path
    loras: tuple[tuple[Path, float], ...]
    clip_vision: Path | None = None
    low_noise: Path | None = None
    has_lora_within: bool = False
    glyph_encoder: Path | None = None

    @classmethod
    def find(cls, recipe: Recipe, models: Path | None = None) -> "RecipeFiles":
        """The files, each looked at as far as its header.

        Raises: `BadInput` for a file that is missing (naming it, its folder and where to get it), damaged, or
        something else than its name says; for a module and a backbone of different sizes.
        """
        folder = models_folder(recipe, models)
        found = {file: _find(file, folder) for file in recipe.files}

        def one(role: Role) -> KnownFile:
            return found[recipe.files_for(role)[0]]

        module = one("module") if recipe.files_for("module") else None
        if module is not None:
            check_pair(one("backbone"), module)
        low_noise = one("low_noise") if recipe.has_two_experts else None
        if low_noise is not None:
            check_experts(one("backbone"), low_noise)
        return cls(
            backbone=one("backbone").path,
            module=None if module is None else module.path,
            vae=one("vae").path,
            text_encoder=one("text_encoder").path,
            loras=tuple((found[file].path, file.strength) for file in recipe.files_for("lora")),
            clip_vision=one("clip_vision").path if recipe.files_for("clip_vision") else None,
            low_noise=None if low_noise is None else low_noise.path,
            has_lora_within=module is not None and module.lora_within is not None,
            glyph_encoder=one("glyph_encoder").path if recipe.files_for("glyph_encoder") else None,
        )

    def describe(self) -> str:
        """How large the weights are, for the person who is about to wait for them."""
        # One file can be both backbone and edit module.
        other = (
            f", then {_size({self.low_noise})} of the low-noise expert in its place" if self.low_noise else ""
        )
        encoder = f", {_size({self.clip_vision})} of picture encoder" if self.clip_vision else ""
        transformer = {self.backbone, self.module or self.backbone, *(path for path, _ in self.loras)}
        return (
            f"Weights to be held: {_size(transformer)} of transformer with edit module and LoRAs{other}, "
            f"{_size({self.text_encoder, self.glyph_encoder or self.text_encoder})} of text encoder, {_size({self.vae})} of VAE{encoder}; 'reelpatch plan' says what "
            "memory that takes."
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
            statuses.append(FileStatus(file, _find(file, folder), ""))
        except BadInput as problem:
            statuses.append(FileStatus(file, None, str(problem)))
    return tuple(statuses)


def models_folder(recipe: Recipe, models: Path | None) -> Path:
    """The folder given, else what comes with the package for recipes that need nothing more, else ComfyUI's.

    Raises: `BadInput` when there is none.
    """
    folder = known_models_folder(recipe, models)
    if folder is None:
        raise BadInput(
            f"the recipe '{recipe.name}' needs a models folder: name one of ComfyUI's layout (--models DIR), "
            f"or set {COMFYUI_PATH} to a ComfyUI folder."
        )
    return folder


def known_models_folder(recipe: Recipe, models: Path | None) -> Path | None:
    """As `models_folder`, but None where no folder is named.

    Raises: `BadInput` for a folder that is named and does not exist.
    """
    if models is None and not any(file.url for file in recipe.files):
        return SHIPPED_MODELS
    comfyui = os.environ.get(COMFYUI_PATH)
    if models is None and comfyui:
        models = Path(comfyui) / "models"
    if models is not None and not models.is_dir():
        found = "is a file" if models.is_file() else "does not exist"
        raise BadInput(f"the models folder {models} {found}: give a folder that is there (--models).")
    return models


def headers_found(recipe: Recipe, models: Path | None) -> dict[Role, KnownFile]:
    """What those files say of themselves that are there, by role; none of them has to be.

    Raises: `BadInput` as `RecipeFiles.find`, but for files that are missing.
    """
    folder = known_models_folder(recipe, models)
    found = find_present(recipe, places_in(folder)) if folder else {}
    for known in found.values():
        check_complete(known)
    return found


def _find(file: WeightFile, folder: Path) -> KnownFile:
    known = find_weights(file, places_in(folder))
    if known is None:
        others = f" (or {', '.join(file.names[1:])})" if file.names[1:] else ""
        raise BadInput(f"{file.names[0]}{others} is not in {folder / file.folder}; {file.how_to_get}.")
    check_complete(known)
    return known


def _size(paths: Collection[Path]) -> str:
    num_bytes = sum(path.stat().st_size for path in paths)
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= _SHOWN_AS_GB else f"{num_bytes / 1e6:.1f} MB"
