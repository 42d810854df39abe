"""The command `reelpatch`: what can be asked of it, and how it answers."""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import reelpatch
from reelpatch.errors import BadInput
from reelpatch.headless.commands import compare as compare_command
from reelpatch.headless.commands import console, finish_options, option_values
from reelpatch.headless.commands import convert as convert_command
from reelpatch.headless.commands import enhance as enhance_command
from reelpatch.headless.commands import measure as measure_command
from reelpatch.headless.commands import plan as plan_command
from reelpatch.headless.commands import task as tasks_command
from reelpatch.headless.commands.run_options import (
    add_accept_damage,
    add_fit,
    add_lora_options,
    add_lossless,
    add_machine_options,
    add_mask_options,
    add_run_options,
    add_window_options,
    chosen_fit,
    chosen_mask,
)
from reelpatch.media.disk_faults import disk_fault

DONE, UNEXPECTED, BAD_INPUT, STOPPED = 0, 1, 2, 130

_DESCRIPTION = """\
Edits video clips by instruction, with editing modules on Wan-family models."""
_EPILOG = """\
examples:
  reelpatch demo --out demo_out
  reelpatch edit clip.mp4 "make the circle blue" --output blue.mp4
  reelpatch edit clip.mp4 "Make it a Claymation." --recipe ditto-global --models ~/ComfyUI/models --size 832x480 --fit
  reelpatch edit clip.mp4 "remove the square" --mask mask.png --when 0-24 --seed 7
  reelpatch enhance edited.mp4 --out steadier.mp4
  reelpatch plan --recipe ditto-global --vram 12 --ram 32
  reelpatch recipes ditto-global
  reelpatch inspect ~/ComfyUI/models/loras/*.safetensors

With --json, stdout holds exactly one JSON object, {"error": ...} when something is wrong; everything else goes to
stderr. Exit codes: 0 done, 1 unexpected error, 2 something to correct in what was given, 130 stopped by Ctrl-C."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}: see {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    console.start_logging()
    try:
        options = build_parser().parse_args(arguments)
        answer, text = options.run(options)
    except BadInput as error:
        return _failed(error.on_command_line(), BAD_INPUT, as_json=as_json)
    except KeyboardInterrupt as stop:  # one that says something knows what is kept
        return _failed(str(stop) or "stopped; nothing was written.", STOPPED, as_json=as_json)
    except Exception as error:
        if said := disk_fault(error):
            return _failed(said, BAD_INPUT, as_json=as_json)
        console.log.exception("This is a defect of Reelpatch; please report it with the lines below.")
        return _failed(f"unexpected {type(error).__name__}: {error}", UNEXPECTED, as_json=as_json)
    sys.stdout.write(json.dumps(_with_finite_numbers(answer)) + "\n" if as_json else text)
    if error := answer.get("error"):  # a part of what was asked for could not be done
        sys.stderr.write(f"reelpatch: {error}\n")
        return BAD_INPUT
    return DONE


def build_parser() -> argparse.ArgumentParser:
    """All verbs and options."""
    parser = _Parser(
        prog="reelpatch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reelpatch {reelpatch.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_edit(verbs.add_parser("edit", help="edit a clip by instruction"))
    _add_demo(verbs.add_parser("demo", help="edit made-up clips with the weights that come along"))
    _add_recipes(verbs.add_parser("recipes", help="list the published methods, or show one"))
    _add_inspect(verbs.add_parser("inspect", help="tell what weight files are and where they belong"))
    enhance_command.add_to(verbs)
    plan_command.add_to(verbs)
    tasks_command.add_to(verbs)
    convert_command.add_to(verbs)
    measure_command.add_to(verbs)
    compare_command.add_to(verbs)
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="one JSON object on stdout instead of text")
    return parser


def _add_edit(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_edit)
    add = parser.add_argument
    add("clip", type=Path, metavar="CLIP", help="mp4, mov, webm, mkv, gif, or a folder of images")
    add("instruction", metavar="INSTRUCTION", help="what is to change, in quotes")
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="mp4, mkv (without loss) or folder of PNG frames to write (CLIP_edited.mp4)",
    )
    add_lossless(add)
    add_accept_damage(add)
    add("--recipe", default="demo", metavar="NAME", help="published method to use (%(default)s)")
    where = parser.add_argument_group("where and what to look at")
    add = where.add_argument
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="image, clip or folder of the clip's size: white is edited; what is taken is said",
    )
    add_mask_options(add)
    add("--when", type=option_values.frame_range, metavar="FIRST-LAST", help="frames to edit, counted from 0")
    add(
        "--reference",
        type=Path,
        action="append",
        default=[],
        metavar="IMAGE",
        help="may be given several times",
    )
    size = parser.add_argument_group("size and length worked on; the result has those of the clip")
    add = size.add_argument
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
    add(
        "--fps",
        type=option_values.fps,
        metavar="RATE",
        help="of a folder of images, such as 24 or 30000/1001 (the recipe's)",
    )
    add_window_options(add)
    finish_options.add_options(parser)
    _add_run(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how it is run").add_argument
    add_run_options(add)
    add_lora_options(add)
    add_machine_options(add)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_demo)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo_out"),
        metavar="DIR",
        help="folder for what it makes (%(default)s)",
    )
    parser.add_argument(
        "--evaluate",
        type=option_values.whole,
        default=0,
        metavar="N",
        help="also measure N clips never trained on (%(default)s)",
    )


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


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_inspect)
    parser.description = """\
Tells from the header of each weight file, whatever its name, what it is, in which dtype and naming, in which folder
of ComfyUI's models it belongs, what it works with, and what is odd about it. No weights are read."""
    parser.epilog = "Exit code 2 if a file can't be read as safetensors; the others are shown all the same."
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="weight files, of any size")


# The verbs import what they run only when they run, so that --help and mistakes are answered at once.


def _edit(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.runs.edit import EditRequest, run_edit

    taken = set(EditRequest.__dataclass_fields__) - {"references", "loras", "finishing", "asked_mask"}
    values = {name: value for name, value in vars(options).items() if name in taken}
    values["fit"] = chosen_fit(options.fit, options.size)
    with console.progress_bars() as on_progress:
        request = EditRequest(
            **values,
            references=tuple(options.reference),
            loras=tuple(options.loras),
            finishing=finish_options.chosen(options),
            asked_mask=chosen_mask(options),
        )
        result = run_edit(request, on_progress)
    return result.as_dict(), f"{result.output}\n"


def _demo(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.demo.command import run_demo

    if options.evaluate < 0:
        raise BadInput(f"--evaluate is {options.evaluate}: give the number of clips, or 0 for none.")
    with console.progress_bars() as on_progress:
        answer = run_demo(options.out, options.evaluate, on_progress=on_progress)
    return answer, _listing(answer)


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


def _inspect(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.commands.inspect import inspect_files

    return inspect_files(options.files)


def _failed(message: str, code: int, *, as_json: bool) -> int:
    sys.stderr.write(f"reelpatch: {message}\n")
    if as_json:
        sys.stdout.write(json.dumps({"error": message}) + "\n")
    return code


def _with_finite_numbers(value: Any) -> Any:
    """JSON has no infinity (the PSNR of equal clips) and no NaN: they become null."""
    if isinstance(value, dict):
        return {name: _with_finite_numbers(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_finite_numbers(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _listing(value: Any, indent: str = "") -> str:
    """Nested plain data as indented lines."""
    pairs = value.items() if isinstance(value, dict) else ((f"{i}", item) for i, item in enumerate(value, 1))
    lines: list[str] = []
    for name, item in pairs:
        if isinstance(item, dict | list | tuple) and item:
            lines.append(f"{indent}{name}:\n{_listing(item, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {f'{item:.4g}' if isinstance(item, float) else item}\n")
    return "".join(lines)
