"""`reelpatch demo`."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import console, option_values
from reelpatch.headless.commands.console import listing


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


def _demo(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.demo.command import run_demo

    if options.evaluate < 0:
        raise BadInput(f"--evaluate is {options.evaluate}: give the number of clips, or 0 for none.")
    with console.progress_bars() as on_progress:
        answer = run_demo(options.out, options.evaluate, on_progress=on_progress)
    return answer, listing(answer)
