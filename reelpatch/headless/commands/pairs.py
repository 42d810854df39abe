"""The verb `pairs`: a data set of pairs of clips, each made side by side from two captions."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.headless.commands import console, option_values, rewrite_options
from reelpatch.headless.commands.run_options import (
    add_guidance,
    add_lora_options,
    add_machine_options,
    add_seed,
)
from reelpatch.headless.models.lasting_imports import lasting_imports


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "pairs", help="make a data set of pairs of clips, before and after an edit, from captions"
    )
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add(
        "file",
        type=Path,
        metavar="FILE.jsonl",
        help=(
            "a JSON object on each line: source and target (captions), change (local, insertion, removal, background, colour, "
            "motion), and if wanted onset (frame), noise (same or own), seed, instruction, reverse"
        ),
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the data set's folder; one that is begun goes on",
    )
    add(
        "--recipe",
        default="demo-shared-attention",
        metavar="NAME",
        help="shared-attention, -1.3b, -a14b, or (%(default)s)",
    )
    add("--size", type=option_values.size, metavar="WxH", help="of the clips in pixels (the recipe's)")
    add("--frames", type=option_values.whole, metavar="N", help="of each clip, N = 4n + 1 (the recipe's)")
    add("--fps", type=option_values.fps, metavar="RATE", help="of the clips (the recipe's)")
    _add_filter(parser.add_argument_group("which pairs are good enough for the lists").add_argument)
    rewrite_options.add_options(parser)
    run = parser.add_argument_group("how it is run").add_argument
    run(
        "--jobs",
        type=option_values.whole,
        default=1,
        metavar="N",
        help="processes that make pairs side by side, each with models of its own; of cards each has one (%(default)s)",
    )
    add_seed(run)
    run("--steps", type=option_values.steps, metavar="N", help="denoising steps (the recipe's)")
    add_guidance(run)
    add_lora_options(run)
    add_machine_options(run)


def _add_filter(add: Any) -> None:
    add(
        "--min-psnr",
        type=option_values.number,
        default=26.0,
        metavar="DB",
        help="likeness outside what changed; 0: any (%(default)g)",
    )
    add(
        "--min-change",
        type=option_values.number,
        default=12.0,
        metavar="LEVELS",
        help="mean difference where it changed, in levels of 255; 0: any (%(default)g)",
    )
    add(
        "--max-flicker",
        type=option_values.number,
        default=2.0,
        metavar="X",
        help="how many times as much as the source the target may flicker (%(default)g)",
    )


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    with lasting_imports():
        from reelpatch.headless.runs.pairs import PairsRequest, run_pairs
    from reelpatch.measure.changed_part import PairFilter

    request = PairsRequest.from_options(
        options,
        filter=PairFilter(
            min_psnr_outside=options.min_psnr,
            min_change_inside=options.min_change,
            max_flicker_ratio=options.max_flicker,
        ),
        rewriting=rewrite_options.chosen(options),
    )
    with console.progress_line() as on_progress:
        result = run_pairs(request, on_progress, option_values.as_option)
    return result.as_dict(), f"{result.out}: {result.pairs} pairs, {result.good} good enough for the lists\n"
