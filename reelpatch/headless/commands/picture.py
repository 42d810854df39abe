"""The verb `picture`: single pictures are edited by an instruction, each as the last frame of an imagined film."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.headless.commands import console, edit_options, option_values
from reelpatch.headless.commands.run_options import (
    add_guidance,
    add_lora_options,
    add_machine_options,
    add_mask_options,
    add_seed,
)
from reelpatch.headless.models.lasting_imports import lasting_imports

if TYPE_CHECKING:
    from reelpatch.headless.runs.picture_request import PictureRequest


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "picture", help="edit a picture, or all of a folder, by instruction"
    )
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("image", type=Path, metavar="IMAGE", help="a picture, or a folder of them, each edited by itself")
    add(
        "instruction",
        nargs="?",
        default="",
        metavar="INSTRUCTION",
        help="what is to change, in quotes; none where the recipe has a sentence of its own",
    )
    add(
        "--output",
        type=Path,
        metavar="PATH",
        help="png to write (IMAGE_edited.png); of several results a new folder, with a contact sheet in it",
    )
    add(
        "--recipe",
        default="chronoedit-8step",
        metavar="NAME",
        help="published method to use (%(default)s); chronoedit, -reasoning, -upscale, -paint",
    )
    add(
        "--size",
        type=option_values.size,
        metavar="WxH",
        help="work on as many pixels as this has, in the picture's own shape (the recipe's); the result has the picture's size",
    )
    _add_where(parser)
    edit_options.add_options(parser)
    _add_run(parser)


def _add_where(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("where to edit").add_argument
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="image that marks what is edited; all else keeps its pixels; how it is taken is said",
    )
    add_mask_options(add)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how it is run").add_argument
    add_seed(add)
    add(
        "--seeds",
        type=option_values.whole,
        default=1,
        metavar="N",
        help="make N results of each picture, with seeds from --seed on (%(default)s)",
    )
    add("--steps", type=option_values.steps, metavar="N", help="denoising steps (the recipe's)")
    add_guidance(add)
    add(
        "--reasoning-steps",
        type=option_values.steps,
        metavar="N",
        help="imagine the way to the edit for N steps, then drop it; 0: not at all (the recipe's)",
    )
    add(
        "--reasoning-film",
        type=Path,
        metavar="FILE",
        help="also write the imagined way as a film; it has to be kept for all steps",
    )
    add_lora_options(add)
    add_machine_options(add)


def request_of(options: argparse.Namespace) -> "PictureRequest":
    """The request that the options make. Raises: `BadInput` for options that do not go together."""
    from reelpatch.headless.runs.picture_request import PictureRequest

    return PictureRequest.from_options(options, **edit_options.chosen(options))


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    with lasting_imports():
        from reelpatch.headless.runs.picture import run_picture

    request = request_of(options)
    with console.progress_bars() as on_progress:
        result = run_picture(request, on_progress)
    return result.as_dict(), f"{result.output}\n"
