"""The verb `measure`: what an edit kept, changed and disturbed."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.headless.commands import console, option_values
from reelpatch.headless.commands.run_options import add_mask_options, chosen_mask

_DESCRIPTION = """\
Measures an edited clip against its source: what stayed outside the mask (PSNR, SSIM, values that differ), how much
changed inside, whether it flickers more than the source, whether its colours drift, whether joins of windows show.
Changes, flicker and colours are in levels of 255."""


def add_to(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "measure", help="what an edit kept, changed and disturbed", description=_DESCRIPTION
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("before", type=Path, metavar="BEFORE", help="the clip as it was")
    add("after", type=Path, metavar="AFTER", help="the clip as it became, of the same length and size")
    add(
        "--mask", type=Path, metavar="FILE", help="image, clip or folder: where it is 0 nothing should change"
    )
    add_mask_options(add)
    add(
        "--joins",
        type=option_values.numbers,
        default=(),
        metavar="N,N",
        help="first frames of later windows, counted from 0",
    )
    add("--plot", type=Path, metavar="FILE", help="also draw the measures over time, as PNG")


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The measures as plain data and as text.

    Raises: `BadInput` for clips that cannot be read or do not belong together.
    """
    from reelpatch.measure.measures import measure
    from reelpatch.measure.plot import plot
    from reelpatch.measure.report import report
    from reelpatch.media.clip_pair import read_pair
    from reelpatch.media.saving import check_place, saved_at

    if options.plot is not None:
        inputs = ("clip before", options.before), ("clip after", options.after), ("mask", options.mask)
        check_place(options.plot, ".png", inputs, "plot")
    asked = chosen_mask(options)
    pair = read_pair(options.before, options.after)
    before, after = pair.before.frames, pair.after
    mask = None if options.mask is None else _mask_for(options.mask, asked, pair.before)
    measures = measure(before, after, mask, options.joins)
    if options.plot is not None:
        with saved_at(options.plot, "plot") as part:
            plot(measures).save(part, format="PNG")
    return measures.as_dict(), report(measures)


def _mask_for(path: Path, asked: Any, clip: Any) -> Any:
    """The mask of a file, [F, H, W], one frame of it for every frame of the clip; says what was taken for it."""
    from reelpatch.clips.mask_cover import Cover
    from reelpatch.clips.masks import build_mask
    from reelpatch.media.mask_file import check_cover, read_mask

    frames, height, width, _ = clip.frames.shape
    where, words = read_mask(
        path, asked, size=(height, width), lengths=(frames,), fps=clip.fps, times_s=clip.times_s
    )
    cover = Cover.of(where)
    check_cover(path, cover, asked)
    console.log.info("%s %s", words, cover.describe())
    return build_mask(where, None, frames=frames, height=height, width=width)
