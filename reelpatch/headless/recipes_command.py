"""The verb `recipes`: the published methods, and which of their files are there."""

import os
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.model_files import COMFYUI_PATH, FileStatus, look_for_files, models_folder
from reelpatch.recipes import Recipe, recipe


def show_recipe(name: str, models: Path | None, *, fetches: bool) -> tuple[dict[str, Any], str]:
    """The record of a recipe and, where a models folder is known, the state of its files; then a summary in words.

    With `fetches`, what is missing is downloaded first, and never without.

    Raises: `BadInput` for an unknown recipe, and for `fetches` as `download` and where no folder is known.
    """
    record = recipe(name)
    is_known = models is not None or COMFYUI_PATH in os.environ or not any(file.url for file in record.files)
    if not is_known and not fetches:
        return record.as_dict(), ""
    folder = models_folder(record, models)
    statuses = look_for_files(record, folder)
    if fetches and any(status.found is None for status in statuses):
        _download(statuses, folder)
        statuses = look_for_files(record, folder)
    answer = record.as_dict() | {
        "models": str(folder),
        "files": [status.as_dict() for status in statuses],
        "ready": all(status.found for status in statuses) and not record.unsupported,
    }
    return answer, _summary(record, statuses, folder)


def _download(statuses: tuple[FileStatus, ...], folder: Path) -> None:
    from reelpatch.headless.download import download  # the hub's client takes a second to import

    missing = [status for status in statuses if status.found is None]
    for status in missing:
        if (folder / status.file.folder / status.file.names[0]).exists():
            raise BadInput(status.problem)  # a file of that name is there, and not ours to replace
    download([status.file for status in missing], folder)


def _summary(record: Recipe, statuses: tuple[FileStatus, ...], folder: Path) -> str:
    lines = [f"\n{record.title} [{record.licence}]\nfiles in {folder}:\n"]
    for status in statuses:
        if status.found is None:
            lines.append(f"  missing  {status.file.role}: {status.problem}\n")
        else:
            lines.append(f"  found    {status.file.role}: {status.found.path} ({status.found.words})\n")
    missing = {status.file.names[0]: status.file.size_gb for status in statuses if status.found is None}
    if missing:
        known = sum(size for size in missing.values() if size)
        at_least = "at least " if None in missing.values() else ""
        lines.append(
            f"{len(missing)} to get, {at_least}{known:.3g} GB: --download fetches what is missing.\n"
        )
    if record.unsupported:
        lines.append(f"Not runnable yet, because {record.unsupported}.\n")
    return "".join(lines)
