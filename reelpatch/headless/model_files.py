"""Where the weight files of a recipe are on this machine."""

import os
from dataclasses import dataclass
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.headless.loading import find_file
from reelpatch.recipes import Recipe, Role, WeightFile
from reelpatch.weights.header import Kind, expect

SHIPPED_MODELS = Path(__file__).parent / "demo" / "models"
COMFYUI_PATH = "COMFYUI_PATH"
_KINDS: dict[Role, tuple[Kind, ...]] = {
    "backbone": (Kind.BACKBONE, Kind.VACE),
    "module": (Kind.EDIT_MODULE, Kind.VACE),
    "lora": (Kind.LORA,),
    "vae": (Kind.VAE21,),
    "text_encoder": (Kind.UMT5,),
}


@dataclass(frozen=True)
class RecipeFiles:
    """One path for each role, and the LoRAs with their strengths."""

    backbone: Path
    module: Path
    vae: Path
    text_encoder: Path
    loras: tuple[tuple[Path, float], ...]

    @classmethod
    def find(cls, recipe: Recipe, models: Path | None = None) -> "RecipeFiles":
        """The files, each looked at as far as its header.

        Raises: `BadInput` for a file that is missing (naming it, its folder and where to get it), damaged, or
        something else than its name says.
        """
        folder = models_folder(recipe, models)

        def one(role: Role) -> Path:
            return _find(recipe.files_for(role)[0], folder)

        return cls(
            backbone=one("backbone"),
            module=one("module"),
            vae=one("vae"),
            text_encoder=one("text_encoder"),
            loras=tuple((_find(file, folder), file.strength) for file in recipe.files_for("lora")),
        )


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


def _find(file: WeightFile, folder: Path) -> Path:
    path = find_file(folder, file.folder, file.names, source=file.url or "a complete copy of Reelpatch")
    return expect(path, *_KINDS[file.role]).path
