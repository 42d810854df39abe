"""The verb `task`: every VACE task, from files to a file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import console, option_values
from reelpatch.headless.commands.run_options import (
    add_accept_damage,
    add_lora_options,
    add_lossless,
    add_machine_options,
    add_mask,
    add_parallel,
    add_references,
    add_run_options,
    chosen_mask,
)
from reelpatch.headless.models.lasting_imports import lasting_imports

if TYPE_CHECKING:
    from reelpatch.headless.runs.request import TaskRequest

_TASKS = """\
tasks, with what each needs:
  control    --clip                          restyle a clip, or follow a control map (edges, depth, pose, gray)
  inpaint    --clip, --mask or --box         make up what a mask or box covers
  outpaint   --clip --expand                 make up what lies beyond the picture
  extend     --first and/or --last           go on, lead up, or fill in between (images or clips)
  keep       --clip, --keep or --keep-random make up all frames of a clip but the chosen ones
  reference  --reference                     make a clip of the faces and objects shown
  swap       --clip, --mask or --box, --reference
                                             put what a reference shows in the place of what is covered
  animate    --clip --reference              make what a reference shows move as a pose map does
  move       --first --box --box             move something in an image from one box to another
  expand     --first --expand                make up what lies beyond an image, and what happens in it
A control map is a clip, or is drawn from one: --map edge, gray, scribble, or box (of --box, or around --mask).
All but reference, swap and animate take references too, as many as you like.

examples:
  reelpatch task inpaint "a red ball" --clip clip.mp4 --box 40,20,64,64 --recipe vace --models ~/ComfyUI/models
  reelpatch task outpaint "a wide street" --clip clip.mp4 --expand left=0.25,right=0.25 --preview look.png
  reelpatch task control "a drawing comes alive" --clip clip.mp4 --map scribble --preview look.png
  reelpatch task extend "she turns and leaves" --first start.png --last end.png --frames 49"""


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "task",
        help="inpaint, outpaint, extend, swap, animate, ...: any VACE task",
        epilog=_TASKS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("task", metavar="TASK", help="what is to be done; see below")
    add("prompt", metavar="PROMPT", help="what the finished clip shows, in quotes")
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="mp4, mkv (without loss) or folder of PNG frames to write (beside the first file given)",
    )
    add_lossless(add)
    add("--preview", type=Path, metavar="FILE", help="only write a PNG of what the model would get, and stop")
    _add_material(parser)
    _add_size(parser)
    _add_run(parser)


def _add_material(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what it is made from").add_argument
    add("--clip", type=Path, metavar="FILE", help="clip, or folder of images")
    add_accept_damage(add)
    add("--first", type=Path, metavar="FILE", help="how the result begins: an image or a clip")
    add("--last", type=Path, metavar="FILE", help="how it ends: an image or a clip")
    add_mask(add, white="made up")
    add(
        "--box",
        type=option_values.box,
        action="append",
        default=[],
        metavar="L,T,W,H",
        help="left, top, width and height in pixels; may be given several times",
    )
    add(
        "--map",
        dest="control_map",
        metavar="KIND",
        help="for the task control: draw edge, gray, scribble or box of the clip; with --mask, inside it alone",
    )
    add_references(add)
    add(
        "--expand",
        type=option_values.sides,
        metavar="SIDE=PART,...",
        help="how far up, down, left, right grow, such as left=0.25",
    )
    add(
        "--keep",
        type=option_values.numbers,
        default=(),
        metavar="N,N,...",
        help="frames to keep, counted from 0",
    )
    add(
        "--keep-random",
        type=option_values.whole,
        metavar="N",
        help="how many frames to keep, drawn by the seed",
    )


def _add_size(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group(
        "size and length: what these use up is the most that is worked on"
    ).add_argument
    add(
        "--size",
        type=option_values.size,
        metavar="WxH",
        help="in pixels, multiples of 16 (the recipe's); a clip keeps its aspect",
    )
    add("--frames", type=option_values.whole, metavar="N", help="4n + 1 (the recipe's)")
    add(
        "--sample",
        dest="sampling",
        choices=("first", "uniform"),
        default="first",
        help="of a longer clip take the first frames, or pick evenly from all (%(default)s)",
    )
    add(
        "--fps",
        type=option_values.fps,
        metavar="RATE",
        help="of a result without a clip, or of a folder of images (the recipe's)",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how it is run").add_argument
    add("--recipe", default="demo", metavar="NAME", help="published method to use (%(default)s)")
    add_run_options(add)
    add_lora_options(add)
    add_machine_options(add)
    add_parallel(add)


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    with lasting_imports():
        from reelpatch.headless.runs.task import run_task

    request = request_of(options)
    if options.preview is not None:
        return _preview(request, options.preview)
    with console.progress_bars() as on_progress:
        result = run_task(request, on_progress)
    return result.as_dict() | {"task": request.task}, f"{result.output}\n"


def request_of(options: argparse.Namespace) -> "TaskRequest":
    """The request that the options make. Raises: `BadInput` for options that do not go together."""
    from reelpatch.headless.runs.request import TaskRequest

    if options.frames is not None and options.frames < 1:
        raise BadInput(f"--frames is {options.frames}: give the number of frames, 4n + 1.")
    return TaskRequest.from_options(
        options,
        boxes=tuple(options.box),
        references=tuple(options.reference),
        sides=options.expand,
        asked_mask=chosen_mask(options),
    )


def _preview(request: "TaskRequest", path: Path) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.runs.task_layout import lay_out
    from reelpatch.headless.runs.task_sheet import write_preview
    from reelpatch.media.saving import check_place

    check_place(path, ".png", request.inputs, "preview")
    built = lay_out(request).built
    write_preview(built, path)
    console.log.info("%s", built.describe())
    frames, height, width = built.input.mask.shape
    answer = {
        "preview": str(path),
        "task": request.task,
        "frames": frames,
        "width": width,
        "height": height,
        "references": len(built.input.references),
        "made_up": float(built.input.hard_mask.mean()),
    }
    return answer, f"{path}\n"
