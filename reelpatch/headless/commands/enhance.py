"""The verb `enhance`: a clip, edited here or not, made steadier and sharper by the last steps of a model."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.headless.commands import console, option_values
from reelpatch.headless.commands.run_options import (
    add_accept_damage,
    add_fit,
    add_fps,
    add_guidance,
    add_lora_options,
    add_lossless,
    add_machine_options,
    add_parallel,
    add_seed,
    add_window_options,
)
from reelpatch.headless.models.lasting_imports import lasting_imports

if TYPE_CHECKING:
    from reelpatch.headless.runs.request import EnhanceRequest


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "enhance", help="steady and sharpen a clip, edited here or not"
    )
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("clip", type=Path, metavar="CLIP", help="mp4, mov, webm, mkv, gif, or a folder of images")
    add(
        "--out",
        "--output",
        dest="output",
        type=Path,
        metavar="FILE",
        help="mp4, mkv (without loss) or folder of PNG frames to write (CLIP_enhanced.mp4)",
    )
    add_lossless(add)
    add_accept_damage(add)
    add("--recipe", default="demo-enhance", metavar="NAME", help="published method to use (%(default)s)")
    add(
        "--caption", default="", metavar="TEXT", help="what the clip shows, where the recipe's model reads it"
    )
    _add_size(parser)
    _add_run(parser)


def _add_size(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("size and length worked on; the result has those of the clip")
    add = group.add_argument
    add(
        "--size",
        type=option_values.size,
        metavar="WxH",
        help="working size in pixels, multiples of 16 (the clip's)",
    )
    add("--frames", type=option_values.whole, metavar="N", help="enhance the first N frames alone")
    add_fit(add, "pad")
    add_fps(add)
    add_window_options(add)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how it is run").add_argument
    add(
        "--steps",
        type=option_values.whole,
        metavar="N",
        help="how many of the schedule's last steps, 1 to 14 for Wan2.2: more change more (the recipe's)",
    )
    add_seed(add)
    add_guidance(add)
    add_lora_options(add)
    add_machine_options(add)
    add_parallel(add)


def request_of(options: argparse.Namespace) -> "EnhanceRequest":
    """The request that the options make."""
    from reelpatch.headless.runs.request import EnhanceRequest

    return EnhanceRequest.from_options(options)


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    with lasting_imports():
        from reelpatch.headless.runs.enhance import run_enhance

    with console.progress_bars() as on_progress:
        result = run_enhance(request_of(options), on_progress)
    return result.as_dict(), f"{result.output}\n"
