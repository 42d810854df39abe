"""The models folders that nodes choose from, the shipped demo files among them, and words for a missing file."""

import json
import shutil
import textwrap
from pathlib import Path

import folder_paths

from reelpatch.errors import BadInput
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.families.kinds import FileKind, Kind
from reelpatch.recipes import RECIPES, WeightFile
from reelpatch.weights.header import KnownFile, expect, identify

DEMO_MATERIAL = Path(__file__).parents[1] / "workflows"
DEMO_MODELS = Path(__file__).parents[1] / "reelpatch" / "headless" / "demo" / "models"
LOADED_BY: dict[FileKind, str] = {
    Kind.BACKBONE: "Load backbone",
    Kind.VACE: "Load backbone or Load edit module",
    Kind.EDIT_MODULE: "Load edit module",
    Kind.EDIT_ADAPTER: "Load edit module",
    Kind.WIDE_BACKBONE: "Load backbone",
    Kind.IMAGE_BACKBONE: "Load backbone",
    Kind.LORA: "Load LoRA (any naming)",
    Kind.VAE21: "Load VAE",
    Kind.VAE22: "Load VAE",
    Kind.UMT5: "Load CLIP with type wan",
    Kind.CLIP_VISION: "Load CLIP Vision",
    HunyuanFile.BACKBONE: "Load Diffusion Model",
    HunyuanFile.UPSCALER: "Load Diffusion Model",
    HunyuanFile.VAE: "Load VAE",
    HunyuanFile.QWEN: "DualCLIPLoader with type hunyuan_video_15",
    HunyuanFile.BYT5: "DualCLIPLoader with type hunyuan_video_15",
    HunyuanFile.SIGLIP: "Load CLIP Vision",
}
_SHOWN_CHARACTERS = 60


def register_demo_models() -> None:
    """Lets every loader, core's too, list the weights that come with this pack."""
    for folder in sorted(path for path in DEMO_MODELS.glob("*") if path.is_dir()):
        folder_paths.add_model_folder_path(folder.name, str(folder))


def offer_demo_material() -> None:
    """Puts the demo's clip, masks and images where Load Video and Load Image look, unless some of that name are there."""
    folder = Path(folder_paths.get_input_directory())
    if folder.is_dir():
        for file in sorted(DEMO_MATERIAL.glob("reelpatch_demo_*")):
            if not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)


def listed(*folders: str) -> list[str]:
    """The files in these models folders, each once."""
    return sorted({name for folder in folders for name in folder_paths.get_filename_list(folder)})


def missing_or_true(folder: str, file: object, *others: str) -> bool | str:
    """True, or a sentence that says where to get the file and where to put it; the API may send any JSON for a name."""
    if not isinstance(file, str):
        shown = textwrap.shorten(json.dumps(file), _SHOWN_CHARACTERS, placeholder="...")
        return f"the file is {shown} instead of a name in quotes: give the name of a file in models/{folder}."
    if any(folder_paths.get_full_path(place, file) for place in (folder, *others)):
        return True
    known = published(file)
    if known is None:
        return f"'{file}' is not in models/{folder}: choose a file that is there, or put this one there."
    if not known.url:
        shipped = "it comes with Reelpatch, get a complete copy of Reelpatch"
        return f"'{file}' is not in models/{folder}: {known.how_to_get if known.unpublished else shipped}."
    source = Path(known.url)
    if source.suffix in (".pt", ".ckpt") and Path(file).suffix != source.suffix:
        return (
            f"'{file}' is not in models/{folder}: download {known.url}, put it there, and make this file of it with the "
            "node Convert weights."
        )
    return f"'{file}' is not in models/{folder}: download it from {known.url} and put it there."


def chosen_file(path: Path, *kinds: FileKind) -> KnownFile:
    """The file if it is of one of these kinds. Raises: `BadInput` that says what it is, and which node loads it."""
    found = identify(path)
    if found.kind not in kinds and found.kind in LOADED_BY and found.tensors:
        wanted = " or ".join(kind.words for kind in kinds)
        home = found.kind.folder
        places = folder_paths.folder_names_and_paths.get(home, ([], set()))[0]
        is_home = any(path.is_relative_to(place) for place in places)
        raise BadInput(
            f"{path.name} is {found.words}, but {wanted} is needed here: "
            f"{'' if is_home else f'put it into models/{home} and '}use {LOADED_BY[found.kind]} for it."
        )
    return expect(path, *kinds)


def published(file: str) -> WeightFile | None:
    """What the recipes know about a file of this name."""
    name = Path(file).name
    files = (weights for recipe in RECIPES.values() for weights in recipe.files)
    return next((weights for weights in files if name in weights.names), None)
