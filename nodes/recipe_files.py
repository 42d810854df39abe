"""Which files of a recipe are loaded: those of widgets, or those that the recipe names, found by what they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import folder_paths

from reelpatch.errors import BadInput
from reelpatch.families.kinds import Kind
from reelpatch.recipes import RECIPES, Recipe, Role, WeightFile
from reelpatch.recipes.comfy_files import comfy_files
from reelpatch.recipes.finder import check_experts, check_pair, check_weights, find_weights
from reelpatch.weights.header import KnownFile

from .files import missing_or_true

OF_RECIPE = "recipe"
FILE_WIDGETS: Mapping[str, tuple[str, ...]] = {
    "backbone": ("diffusion_models",),
    "edit_module": ("diffusion_models", "model_patches"),
    "lora": ("loras",),
    "second_lora": ("loras",),
    "vae": ("vae",),
    "text_encoder": ("text_encoders",),
    "glyph_encoder": ("text_encoders",),
    "clip_vision": ("clip_vision",),
    "low_noise": ("diffusion_models",),
}
_ROLES: Mapping[str, Role] = {
    **{"backbone": "backbone", "edit_module": "module", "lora": "lora", "second_lora": "lora"},
    **{"vae": "vae", "text_encoder": "text_encoder", "clip_vision": "clip_vision"},
    **{"low_noise": "low_noise", "glyph_encoder": "glyph_encoder"},
}


@dataclass(frozen=True)
class ChosenFile:
    """A file to load, and the widget it goes by. `strength` is of a LoRA; `is_demo` says that it came with the pack."""

    widget: str
    known: KnownFile
    strength: float
    is_demo: bool
    is_own: bool

    @property
    def role(self) -> Role:
        return _ROLES[self.widget]

    @property
    def path(self) -> Path:
        return self.known.path


class _Asked(NamedTuple):
    """The recipe's file for a widget, and the name of another one to take in its place, if any."""

    widget: str
    file: WeightFile | None
    own: str


def choose_files(record: Recipe, typed: Mapping[str, str]) -> list[ChosenFile]:
    """All files of a recipe, those that widgets name in their place.

    Raises: `BadInput` for a missing file, naming all that are, for a file that is something else than its place asks
    for, for a module of another size than its backbone, and for experts that are no pair.
    """
    if told := missing_files(record, typed):
        raise BadInput(told)
    chosen = {one.widget: _chosen(one) for one in _asked(record, typed)}
    if "edit_module" in chosen:
        check_pair(chosen["backbone"].known, chosen["edit_module"].known)
    if "low_noise" in chosen:
        check_experts(chosen["backbone"].known, chosen["low_noise"].known)
    encoder = chosen["text_encoder"]
    if encoder.known.kind is Kind.UMT5 and not encoder.known.has_tokenizer:
        raise BadInput(
            f"{encoder.path} has no tokenizer in it, which ComfyUI's loader needs: get "
            "umt5_xxl_fp8_e4m3fn_scaled.safetensors or umt5_xxl_fp16.safetensors."
        )
    return list(chosen.values())


def missing_files(record: Recipe, typed: Mapping[str, str]) -> str:
    """A sentence that names each file that is not there and where to get it, or empty text.

    Raises: `BadInput` as `find_weights`.
    """
    lines: list[str] = []
    size_gb = 0.0
    for widget, file, own in _asked(record, typed):
        if own:
            folder, *others = FILE_WIDGETS[widget]
            told = missing_or_true(folder, own, *others)
            lines += [] if told is True else [f"{widget}: {told}"]
        elif file is not None and find_weights(file, _places) is None:
            lines.append(f"{file.folder}/{file.names[0]}: {_how_to_get(file)}")
            size_gb += file.size_gb or 0
    if not lines:
        return ""
    files = "1 file is" if len(lines) == 1 else f"{len(lines)} files are"
    size = f" ({size_gb:.1f} GB to download into ComfyUI's models folder)" if size_gb else ""
    return "\n".join([f"{files} missing for the recipe '{record.name}'{size}:", *lines])


def _how_to_get(file: WeightFile) -> str:
    if file.unpublished:
        return file.how_to_get
    if not file.url:
        return "it comes with Reelpatch but is not there, get a complete copy of Reelpatch"
    if file.url.endswith((".pt", ".ckpt")):
        return f"download {file.url}, and make this file of it with Convert weights"
    return file.url


def _asked(record: Recipe, typed: Mapping[str, str]) -> Iterator[_Asked]:
    """For each file to load the recipe's, under the form that its widget names, or the file to take in its place."""
    files = comfy_files(record)
    for widget, role in _ROLES.items():
        of_role = [file for file in files if file.role == role]
        place = 1 if widget == "second_lora" else 0
        file = of_role[place] if place < len(of_role) else None
        name = typed.get(widget, OF_RECIPE)
        own = "" if name == OF_RECIPE or _is_published(name, role) else name
        if file is not None and name in file.names:
            file = replace(file, names=(name, *(other for other in file.names if other != name)))
        if file is not None or own:
            yield _Asked(widget, file, own)


def _is_published(name: str, role: Role) -> bool:
    """Whether any recipe names this file, so that the recipe that is chosen decides."""
    return any(name in one.names for other in RECIPES.values() for one in other.files if one.role == role)


def _chosen(one: _Asked) -> ChosenFile:
    if not one.own:
        assert one.file is not None
        known = find_weights(one.file, _places)
        assert known is not None
        return ChosenFile(one.widget, known, one.file.strength, is_demo=not one.file.url, is_own=False)
    found = (folder_paths.get_full_path(folder, one.own) for folder in FILE_WIDGETS[one.widget])
    asked = one.file or WeightFile(_ROLES[one.widget], (one.own,), "", None, "")
    known = check_weights(Path(next(filter(None, found))), asked)
    return ChosenFile(one.widget, known, 1.0, is_demo=False, is_own=True)


def _places(folder: str) -> list[Path]:
    """The folders that ComfyUI looks into for a kind of file, those of extra_model_paths.yaml among them."""
    folders = FILE_WIDGETS["edit_module"] if folder == "diffusion_models" else (folder,)
    known = folder_paths.folder_names_and_paths
    return [Path(place) for name in folders for place in known.get(name, ([], set()))[0]]
