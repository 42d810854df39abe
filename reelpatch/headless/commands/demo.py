"""The verb `demo`: made-up clips are edited with the weights that come along."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import console, option_values
from reelpatch.headless.commands.console import listing
from reelpatch.headless.models.lasting_imports import lasting_imports


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "demo", help="edit made-up clips with the weights that come along"
    )
    parser.set_defaults(run=_run)
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
    parser.add_argument(
        "--recipe",
        choices=("demo", "demo-in-context"),
        default="demo",
        help="with which of the demo's weights to edit (%(default)s)",
    )


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    with lasting_imports():
        from reelpatch.headless.demo.command import run_demo

    if options.evaluate < 0:
        raise BadInput(f"--evaluate is {options.evaluate}: give the number of clips, or 0 for none.")
    try:
        with console.progress_bars() as on_progress:
            answer = run_demo(options.out, options.evaluate, recipe=options.recipe, on_progress=on_progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; what is finished lies in {options.out}, and the same command begins anew."
        ) from None
    return answer, listing(answer)
