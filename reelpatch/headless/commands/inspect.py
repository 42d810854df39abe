"""The verb `inspect`: weight files are told by their headers."""

import argparse
from pathlib import Path
from typing import Any


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "inspect", help="tell what weight files are and where they belong"
    )
    parser.set_defaults(run=_run)
    parser.description = """\
Tells from the header of each weight file, whatever its name, what it is, in which dtype and naming, in which folder
of ComfyUI's models it belongs, what it works with, and what is odd about it. No weights are read."""
    parser.epilog = "Exit code 2 if a file can't be read as safetensors; the others are shown all the same."
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="weight files, of any size")


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:

    from reelpatch.headless.commands.file_report import inspect_files

    return inspect_files(options.files)
