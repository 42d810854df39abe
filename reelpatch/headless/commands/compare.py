"""The verb `compare`: before and after, to be looked at."""

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import option_values


def add_to(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "compare", help="before and after in one film or on a sheet"
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("before", type=Path, metavar="BEFORE", help="the clip as it was; its rate and sound are taken")
    add("after", type=Path, metavar="AFTER", help="the clip as it became, of the same length and size")
    add("--out", type=Path, metavar="FILE", help="the mp4 to write, replaced if it exists")
    add(
        "--mode",
        choices=("side", "wipe"),
        default="side",
        help="side by side, or under a line that goes to and fro (%(default)s)",
    )
    add("--sheet", type=Path, metavar="FILE", help="the PNG to write: frames of both and their difference")
    add(
        "--fps",
        type=option_values.fps,
        default=Fraction(24),
        metavar="RATE",
        help="of folders of images (%(default)s)",
    )


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The files that were written, as plain data and as text.

    Raises: `BadInput` for clips that cannot be read or do not belong together, and where nothing can be written.
    """
    from reelpatch.measure.side_by_side import contact_sheet, side_by_side, wipe
    from reelpatch.media.clip_pair import read_pair
    from reelpatch.media.saving import check_place, saved_at
    from reelpatch.media.video_write import write_video

    inputs = ("clip before", options.before), ("clip after", options.after)
    if options.out is None and options.sheet is None:
        raise BadInput(
            "nothing was asked for: name a film to write (--out FILE.mp4) or a sheet (--sheet FILE.png)."
        )
    for path, suffix, setting in ((options.out, ".mp4", "out"), (options.sheet, ".png", "sheet")):
        if path is not None:
            check_place(path, suffix, inputs, setting)
    pair = read_pair(options.before, options.after, folder_fps=options.fps)
    if options.out is not None:
        write_video(side_by_side(pair) if options.mode == "side" else wipe(pair), options.out)
    if options.sheet is not None:
        with saved_at(options.sheet, "sheet") as part:
            contact_sheet(pair).save(part, format="PNG")
    written = {name: str(path) for name, path in (("out", options.out), ("sheet", options.sheet)) if path}
    return {"frames": len(pair.after), "mode": options.mode, **written}, "".join(
        f"{path}\n" for path in written.values()
    )
