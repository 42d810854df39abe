"""The verb `measure`: what an edit kept, changed and disturbed."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.headless import option_values

if TYPE_CHECKING:
    from reelpatch.headless.measuring import Measures

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
    from reelpatch.headless.measure_plot import plot
    from reelpatch.headless.measuring import mask_for, measure
    from reelpatch.headless.pair import read_pair
    from reelpatch.headless.saving import check_place, saved_at

    if options.plot is not None:
        check_place(options.plot, ".png", (options.before, options.after), "--plot")
    pair = read_pair(options.before, options.after)
    before, after = pair.before.frames, pair.after
    mask = None if options.mask is None else mask_for(options.mask, before)
    measures = measure(before, after, mask, options.joins)
    if options.plot is not None:
        with saved_at(options.plot, "--plot") as part:
            plot(measures).save(part, format="PNG")
    return measures.as_dict(), report(measures)


def report(measures: "Measures") -> str:
    """The measures as lines for people."""
    outside, inside = ("outside", "inside") if measures.has_mask else ("overall", "overall")
    lines = [
        f"{outside}: PSNR {_number(measures.psnr_outside)} dB, SSIM {_number(measures.ssim_outside)}, "
        f"{measures.changed_outside} values of 8 bits differ",
        f"{inside}: changed by {_number(measures.change_inside)} levels",
    ]
    for name, flicker in (("flicker", measures.flicker), ("flicker inside", measures.flicker_inside)):
        if flicker is not None:
            lines.append(
                f"{name}: {_number(flicker.after)} levels, the source {_number(flicker.before)} "
                f"({_number(flicker.ratio)} times)"
            )
    if drift := measures.drift:
        lines.append(
            f"colour drift: {_number(drift.trend)} levels from first to last, at most {_number(drift.largest)}"
        )
    lines += [
        f"join before frame {join.frame}: {_number(join.visibility)} times the change around it, "
        f"in the source {_number(join.of_source)}"
        for join in measures.joins
    ]
    return "".join(f"{line}\n" for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
