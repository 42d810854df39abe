"""The verb `recipes`: the published methods are listed, or one is shown with its files."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "recipes", help="list the published methods, or show one"
    )
    parser.set_defaults(run=_run)
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


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.recipes import RECIPES

    if options.name:
        from reelpatch.headless.commands.show_recipe import show_recipe

        return show_recipe(
            options.name, options.models, fetches=options.download, allows_http=options.allow_http
        )
    if options.download:
        raise BadInput(
            "--download fetches the files of one recipe: say which (`reelpatch recipes` lists them)."
        )
    lines = [f"{one.name:20} {one.title} [{one.licence}]\n" for one in RECIPES.values()]
    return {"recipes": [one.as_dict() for one in RECIPES.values()]}, "".join(lines)
