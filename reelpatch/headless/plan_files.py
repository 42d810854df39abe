"""The weight files of a recipe that are on this machine, by their headers; none of them has to be."""

import os
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.recipes import FOLDERS, Recipe, Role, WeightFile
from reelpatch.weights.header import KnownFile, expect

SHIPPED_MODELS = Path(__file__).parent / "demo" / "models"


def headers_found(recipe: Recipe, models: Path | None) -> dict[Role, KnownFile]:
    """What the files say of themselves, by role; a role with several files is left out.

    Looks in `models`, else in what comes with the package, else in `$COMFYUI_PATH/models`.

    Raises: `BadInput` for a folder that is not there, and for a file that is damaged or something else.
    """
    folder = _folder(recipe, models)
    found: dict[Role, KnownFile] = {}
    for role in FOLDERS if folder else ():
        files = recipe.files_for(role)
        path = _path(folder, files[0]) if folder and len(files) == 1 else None
        if path is not None:
            found[role] = _header(path, files[0])
    return found


def _folder(recipe: Recipe, models: Path | None) -> Path | None:
    if models is not None:
        if not models.is_dir():
            raise BadInput(f"the models folder {models} does not exist: give one that does (--models).")
        return models
    if not any(file.url for file in recipe.files):
        return SHIPPED_MODELS
    comfyui = os.environ.get("COMFYUI_PATH")
    return Path(comfyui) / "models" if comfyui else None


def _path(folder: Path, file: WeightFile) -> Path | None:
    paths = (path for name in file.names for path in sorted((folder / file.folder).glob(f"**/{name}")))
    return next(paths, None)


def _header(path: Path, file: WeightFile) -> KnownFile:
    if path.suffix == ".safetensors":
        return expect(path, *file.kinds)
    from reelpatch.headless.weight_files import expect_weights  # which needs torch, as a plan does not

    return expect_weights(path, *file.kinds)
