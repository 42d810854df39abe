"""What the verbs that edit by an instruction ask for alike: how the edit is put back, and how the instruction is rewritten."""

import argparse
from typing import Any

from reelpatch.headless.commands import finish_options, rewrite_options
from reelpatch.headless.commands.run_options import chosen_mask


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds them to a verb."""
    finish_options.add_options(parser)
    rewrite_options.add_options(parser)


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a request that they and the options of a mask make. Raises: `BadInput` as each of them."""
    return {
        "finishing": finish_options.chosen(options),
        "asked_mask": chosen_mask(options),
        "rewriting": rewrite_options.chosen(options),
    }
