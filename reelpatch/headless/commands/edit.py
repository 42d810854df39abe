"""The verb `edit`: a clip is edited by an instruction."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import console, edit_options, option_values, rewrite_options
from reelpatch.headless.commands.run_options import (
    add_accept_damage,
    add_fit,
    add_fps,
    add_half_size,
    add_lossless,
    add_mask,
    add_references,
    add_run,
    add_window_options,
)
from reelpatch.headless.models.lasting_imports import lasting_imports

if TYPE_CHECKING:
    from reelpatch.headless.runs.request import EditRequest


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser("edit", help="edit a clip by instruction")
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("clip", type=Path, metavar="CLIP", help="mp4, mov, webm, mkv, gif, or a folder of images")
    add("instruction", nargs="?", metavar="INSTRUCTION", help="what is to change, in quotes")
    add(
        "--edits",
        type=Path,
        metavar="FILE",
        help="in place of an instruction: a JSON list of several, each with its mask, made one after the other",
    )
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="mp4, mkv (without loss) or folder of PNG frames to write (CLIP_THE_INSTRUCTION.mp4)",
    )
    add(
        "--grounding-film",
        type=Path,
        metavar="FILE",
        help="mp4, mkv or folder: what will be changed, as VideoCoF shows it (of a long clip that of the first window)",
    )
    add_lossless(add)
    add_accept_damage(add)
    add("--recipe", default="demo", metavar="NAME", help="published method to use (%(default)s)")
    _add_where(parser.add_argument_group("where and what to look at").add_argument)
    _add_captions(parser.add_argument_group("for recipes that share attention").add_argument)
    _add_size(
        parser.add_argument_group("size and length worked on; the result has those of the clip").add_argument
    )
    edit_options.add_options(parser)
    add_run(parser)


def _add_where(add: Any) -> None:
    add_mask(add, white="edited")
    add("--when", type=option_values.frame_range, metavar="FIRST-LAST", help="frames to edit, counted from 0")
    add(
        "--times-in-result",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="edit all frames at the mask's places, and take the others' from the clip at the end; else the model sees them as they are (the recipe's)",
    )
    add(
        "--first-frame",
        type=Path,
        metavar="IMAGE",
        help="frame 0 as it is to become, such as `reelpatch picture` edited it: it stays, and the clip follows it",
    )
    add(
        "--at-frame",
        type=option_values.whole,
        default=0,
        metavar="N",
        help="the picture of --first-frame, or what --via edits, is frame N in place of frame 0",
    )
    add(
        "--via",
        metavar="RECIPE",
        help="edit frame 0 (or --at-frame) as a picture first, by this recipe (chronoedit-8step, ...): written beside the result, then followed",
    )
    add_references(add)


def _add_captions(add: Any) -> None:
    add(
        "--caption",
        default="",
        metavar="TEXT",
        help="what the clip shows now; the instruction is then the caption of the clip as it is to be",
    )
    add(
        "--change",
        metavar="KIND",
        help="local, insertion, removal, background, colour or motion: which attention is shared when (local)",
    )


def _add_size(add: Any) -> None:
    add(
        "--size",
        type=option_values.size,
        metavar="WxH",
        help="working size in pixels, multiples of 16 (the clip's)",
    )
    add(
        "--frames",
        type=option_values.whole,
        metavar="N",
        help="edit the first N frames alone; N = 4n + 1, or any with --fit",
    )
    add_fit(add)
    add_half_size(add)
    add_fps(add)
    add_window_options(add)


def request_of(options: argparse.Namespace) -> "EditRequest":
    """The request that the options make. Raises: `BadInput` for options that do not go together."""
    from reelpatch.headless.runs.request import EditRequest

    _check_what_to_do(options)
    return EditRequest.from_options(
        options,
        instruction=options.instruction if options.edits is None else options.edits.stem,
        references=tuple(options.reference),
        **edit_options.chosen(options),
    )


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    with lasting_imports():
        from reelpatch.headless.runs.edit import run_edit
        from reelpatch.headless.runs.edit_chain import run_edits

    request = request_of(options)
    with console.progress_bars() as on_progress:
        if options.edits is None:
            result = run_edit(request, on_progress)
        else:
            result = run_edits(request, options.edits, on_progress)
    return result.as_dict(), f"{result.output}\n"


def _check_what_to_do(options: argparse.Namespace) -> None:
    """Raises: BadInput for neither an instruction nor a file of them, and for both."""
    if options.instruction is None and options.edits is None:
        raise BadInput(
            "no instruction was given: say what is to change, in quotes, or name a file of edits (--edits)."
        )
    if options.at_frame and options.first_frame is None and options.via is None:
        raise BadInput(
            f"frame {options.at_frame} was named, but no picture of it as it is to become, and no recipe that makes one: add "
            "--first-frame IMAGE or --via RECIPE, or leave this out.",
            setting="at_frame",
        )
    if options.edits is None:
        _check_times(options)
        return
    if rewrite_options.chosen(options).is_asked:
        raise BadInput(
            "the instructions of a file of edits are used as they are: rewrite each first (reelpatch rewrite), and leave "
            "this out.",
            setting=("rewrite_url", "rewrite_folder", "rewrite_plainly"),
        )
    if options.caption:
        raise BadInput(
            "a caption was given beside a file of edits, but each of them starts from another clip: make them one by one.",
            setting="edits",
        )
    if options.via is not None:
        raise BadInput(
            "a file of edits has several instructions, and frame 0 can be edited as a picture by one alone: leave this out.",
            setting="via",
        )
    if options.grounding_film is not None:
        raise BadInput(
            "a film of what will be changed is that of one edit, but a file of edits was given: leave it out, or make them one by one.",
            setting="grounding_film",
        )
    for name, value in (
        ("an instruction", options.instruction),
        ("a mask", options.mask),
        ("a time range", options.when),
    ):
        if value is not None:
            raise BadInput(
                f"{name} was given beside a file of edits, which has its own for each edit: leave it out.",
                setting="edits",
            )


def _check_times(options: argparse.Namespace) -> None:
    """Raises: BadInput for a way of obeying times that nothing has."""
    if options.times_in_result is not None and options.mask is None and options.when is None:
        raise BadInput(
            "it was said how the times of a mask are obeyed, but neither a mask nor a time range was given: add one, or leave this out.",
            setting="times_in_result",
        )
