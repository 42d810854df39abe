"""A recipe and which of its files are there, as data and as a page."""

from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands.recipe_page import recipe_page
from reelpatch.headless.models.recipe_files import (
    FileStatus,
    known_models_folder,
    look_for_files,
    models_folder,
)
from reelpatch.recipes import recipe


def show_recipe(
    name: str, models: Path | None, *, fetches: bool, allows_http: bool = False
) -> tuple[dict[str, Any], str]:
    """The record of a recipe and, where a models folder is known, the state of its files; then the same as a page.

    With `fetches`, what is missing is downloaded first, and never without.

    Raises: `BadInput` for an unknown recipe, and for `fetches` as `download` and where no folder is known.
    """
    record = recipe(name)
    if not fetches and known_models_folder(record, models) is None:
        return record.as_dict(), recipe_page(record)
    folder = models_folder(record, models)
    statuses = look_for_files(record, folder)
    if fetches and any(status.found is None for status in statuses):
        _download(statuses, folder, allows_http=allows_http)
        statuses = look_for_files(record, folder)
    answer = record.as_dict() | {
        "models": str(folder),
        "files": [status.as_dict() for status in statuses],
        "ready": all(status.found for status in statuses),
    }
    return answer, recipe_page(record, statuses, folder)


def _download(statuses: tuple[FileStatus, ...], folder: Path, *, allows_http: bool) -> None:
    from reelpatch.headless.models.download import download  # the hub's client takes a second to import

    missing = [status for status in statuses if status.found is None]
    for status in missing:
        if (folder / status.file.folder / status.file.names[0]).exists():
            raise BadInput(status.problem)  # a file of that name is there, and not ours to replace
    there_is = [status.file for status in missing if not status.file.unpublished]
    download(there_is, folder, allows_http=allows_http)
