"""Finds the weight files of recipes for every host and verb; a file is what its header says, whatever its name.

Nothing here needs torch, except a file that is a pickle.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.recipes.record import FOLDERS, SHIPPED_PREFIX, Recipe, Role, WeightFile
from reelpatch.weights.header import KnownFile, expect

Places = Callable[[str], Sequence[Path]]
"""The folders to look into, in this order, for a models folder of this name (`vae`)."""

_OLDER_FOLDERS = {"diffusion_models": "unet", "text_encoders": "clip"}  # ComfyUI reads both
_SUFFIX = ".safetensors"
# Of these roles any file of the kind serves; what a backbone, a module or a LoRA was trained for, no header tells.
_INTERCHANGEABLE: tuple[Role, ...] = ("vae", "text_encoder", "glyph_encoder", "clip_vision")
# How names tell the experts of Wan2.2 apart, each by what is in the name of the other.
_OTHER_EXPERT = {
    "low": ("high", re.compile(r"high[_-]?noise|[_-]HIGH([_.-]|$)")),
    "high": ("low", re.compile(r"low[_-]?noise|[_-]LOW([_.-]|$)")),
}


def places_in(models: Path) -> Places:
    """The places of a folder in ComfyUI's layout, the older names of its folders among them."""
    return lambda folder: [models / name for name in (folder, _OLDER_FOLDERS.get(folder)) if name]


def find_weights(file: WeightFile, places: Places) -> KnownFile | None:
    """Finds the file under one of its names, else under any name where all of its kind are alike, or none was published.

    None where it is not.

    It may lie at any depth, behind links too; upper and lower case are one, and the extension may be doubled.
    Raises: `BadInput` for one that is not what its name says, and for a link to nothing.
    """
    there = [path for place in places(file.folder) for path in _files(place)]
    for name in file.names:
        spelled = {name.casefold(), f"{name}{_SUFFIX}".casefold()}
        if path := next((path for path in there if path.name.casefold() in spelled), None):
            return check_weights(path, file)
    if file.unpublished:  # ours are made for recipes of their own
        there = [path for path in there if not path.name.startswith(SHIPPED_PREFIX)]
    takes_any = file.role in _INTERCHANGEABLE or file.unpublished
    return next(_others(file, there), None) if takes_any else None


def find_present(recipe: Recipe, places: Places) -> dict[Role, KnownFile]:
    """Finds those files of a recipe that are there, by role; a role with several files is left out.

    Raises: `BadInput` as `find_weights`, and for a module and a backbone of different sizes.
    """
    found: dict[Role, KnownFile] = {}
    for role in FOLDERS:
        files = recipe.files_for(role)
        if len(files) == 1 and (known := find_weights(files[0], places)):
            found[role] = known
    if "backbone" in found and "module" in found:
        check_pair(found["backbone"], found["module"])
    return found


def check_weights(path: Path, file: WeightFile) -> KnownFile:
    """The file at `path`, if its header says that it can be this file of a recipe.

    Raises: `BadInput` for another kind or size of model, for one expert of Wan2.2 where the other is needed, and for
    a link to nothing.
    """
    if path.is_symlink() and not path.exists():
        raise BadInput(
            f"{path} is a link to {path.readlink()}, where there is no file: mend the link, or put the file there."
        )
    known = _header(path, file)
    if file.size and known.size and known.size != file.size:
        raise BadInput(
            f"{path} is {known.words}, but the recipe needs the {file.size} model: get {file.names[0]} from "
            f"{file.url}."
        )
    if file.expert:
        other, named = _OTHER_EXPERT[file.expert]
        if named.search(path.name):
            raise BadInput(
                f"{path} is by its name the {other}-noise expert, but the {file.expert}-noise one is needed: get "
                f"{file.names[0]} from {file.url}."
            )
    return known


def check_experts(high: KnownFile, low: KnownFile) -> None:
    """Raises: `BadInput` for two experts that are one file, or of different sizes."""
    if high.path.samefile(low.path):
        raise BadInput(
            f"{high.path} and {low.path} are one file, but the high-noise and the low-noise expert are needed: get the other one."
        )
    if high.width and low.width and high.width != low.width:
        raise BadInput(
            f"{low.path} is {low.words}, {low.width} wide, but {high.path} is {high.words}, {high.width} wide: two experts "
            "are of one size."
        )


def check_pair(backbone: KnownFile, module: KnownFile) -> None:
    """Raises: `BadInput` for a module that was made for a backbone of another width."""
    widths = backbone.width, module.width
    if all(widths) and widths[0] != widths[1]:
        raise BadInput(
            f"{module.path} is {module.words}, {widths[1]} wide, but {backbone.path} is {backbone.words}, "
            f"{widths[0]} wide: a module works with the backbone of its own size alone, choose a pair."
        )


def _header(path: Path, file: WeightFile) -> KnownFile:
    if path.suffix.casefold() == _SUFFIX:
        return expect(path, *file.kinds)
    from reelpatch.weights.weight_files import expect_weights  # which needs torch

    return expect_weights(path, *file.kinds)


def _others(file: WeightFile, there: Sequence[Path]) -> Iterator[KnownFile]:
    for path in there:
        if path.suffix.casefold() == _SUFFIX:
            try:
                yield check_weights(path, file)
            except BadInput:
                continue


def _files(place: Path) -> list[Path]:
    """All files below a folder, sorted, so that the choice is the same each time."""
    paths: list[Path] = []
    entered: set[str] = set()
    for folder, folders, names in os.walk(place, followlinks=True):
        entered.add(os.path.realpath(folder))
        # Hidden: what a download left unfinished, and a Mac's companions (`._x.safetensors`).
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(f"{folder}/{name}") not in entered
        ]
        paths += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(paths)
