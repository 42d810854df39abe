"""The verb `rewrite`: an instruction as a recipe's models like it, to be read, changed and given to `edit` or `picture`."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import rewrite_options


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "rewrite", help="say an instruction as a recipe's models like it, with or without a language model"
    )
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("instruction", metavar="INSTRUCTION", help="what is to change, in quotes")
    add("--recipe", required=True, metavar="NAME", help="published method that is to read it")
    add(
        "--look-at",
        type=Path,
        metavar="FILE",
        help="the clip, or the picture where the recipe edits pictures, which a language model is shown",
    )
    rewrite_options.add_options(parser)


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.rewriting.rewriter import rewrite
    from reelpatch.headless.rewriting.seen import Seen
    from reelpatch.recipes import recipe

    how, settings = rewrite_options.chosen(options), recipe(options.recipe)
    if not how.is_asked:
        raise BadInput(
            "nothing was named that rewrites: give the address of a server, the folder of a language model, or ask for the "
            "plain form.",
            setting=("rewrite_url", "rewrite_folder", "rewrite_plainly"),
        )
    made = rewrite(
        options.instruction, settings, Seen(options.look_at, is_clip=settings.picture is None), how
    )
    return made.as_dict(), f"{made.text}\n"
