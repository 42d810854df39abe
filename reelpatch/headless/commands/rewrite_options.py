"""The options of rewriting an instruction, which `edit`, `picture` and `rewrite` have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reelpatch.headless.commands import option_values

if TYPE_CHECKING:
    from reelpatch.headless.rewriting.options import RewriteOptions


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds them as a group of their own."""
    add = parser.add_argument_group("rewriting the instruction as the recipe's models like it").add_argument
    add(
        "--rewrite-url",
        metavar="URL",
        help=(
            "ask a server that speaks OpenAI's chat protocol (llama.cpp, vLLM, Ollama), such as http://127.0.0.1:11434/v1; it is "
            "sent the instruction and up to 4 frames. A key is taken from REELPATCH_REWRITE_KEY"
        ),
    )
    add("--rewrite-model", metavar="NAME", help="the server's model (the first that it lists)")
    add(
        "--rewrite-timeout",
        type=option_values.number,
        default=120.0,
        metavar="S",
        help="how many seconds the server may take (%(default)g)",
    )
    add(
        "--rewrite-folder",
        type=Path,
        metavar="FOLDER",
        help="ask the language model in this folder, through transformers, such as Qwen3-VL-4B-Instruct; nothing is sent anywhere",
    )
    add(
        "--rewrite-plainly",
        action="store_true",
        help="put it into the method's plain form, without a language model",
    )
    add(
        "--rewrite-or-keep",
        action="store_true",
        help="where that fails, go on with the instruction as it is, instead of stopping",
    )


def chosen(options: argparse.Namespace) -> RewriteOptions:
    """What was asked for. Raises: `BadInput` for options that do not go together."""
    from reelpatch.headless.rewriting.options import RewriteOptions

    how = RewriteOptions(
        url=options.rewrite_url,
        model=options.rewrite_model,
        folder=options.rewrite_folder,
        plainly=options.rewrite_plainly,
        or_keep=options.rewrite_or_keep,
        timeout_s=options.rewrite_timeout,
    )
    how.check()
    return how
