"""The verb `recipes`: the published methods, and which of their files are there."""

import argparse
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
        "ready": all(status.found for status in statuses) and not record.unsupported,
    }
    return answer, recipe_page(record, statuses, folder)


def _download(statuses: tuple[FileStatus, ...], folder: Path, *, allows_http: bool) -> None:
    from reelpatch.headless.models.download import download  # the hub's client takes a second to import

    missing = [status for status in statuses if status.found is None]
    for status in missing:
        if (folder / status.file.folder / status.file.names[0]).exists():
            raise BadInput(status.problem)  # a file of that name is there, and not ours to replace
    download([status.file for status in missing], folder, allows_http=allows_http)


def _add_recipes(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_recipes)
    parser.description = """\
Lists the published methods, or shows one: its settings, its licence, and which of its files are in a models folder,
told by their headers. Nothing is ever downloaded without --download."""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="the one to show in full")
    add("--models", type=Path, metavar="DIR", help="models folder of ComfyUI's layout ($COMFYUI_PATH/models)")
    add(
        "--download",
        action="store_true",
        help="fetch what is missing from Hugging Face; an interrupted download goes on where it stopped",
    )
    add("--allow-http", action="store_true", help="fetch from an HF_ENDPOINT without https too")


def _recipes(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.recipes import RECIPES

    if options.name:
        from reelpatch.headless.commands.recipes import show_recipe

        return show_recipe(
            options.name, options.models, fetches=options.download, allows_http=options.allow_http
        )
    if options.download:
        raise BadInput(
            "--download fetches the files of one recipe: say which (`reelpatch recipes` lists them)."
        )
    lines = [f"{one.name:14} {one.title} [{one.licence}]\n" for one in RECIPES.values()]
    return {"recipes": [one.as_dict() for one in RECIPES.values()]}, "".join(lines)
