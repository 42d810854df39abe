"""An edit asks for words: a conditioning that was made of no word at all is refused, where its encoder told so."""

from typing import Any

from reelpatch.edits.instruction import check_instruction

EMPTY_KEY = "reelpatch_empty"
"""In the options of a conditioning: that its text was empty. The demo's text encoder says so, core's do not."""


def check_conditioning(positive: Any) -> None:
    """Raises: `BadInput` for the conditioning of an empty text."""
    if positive and all(options.get(EMPTY_KEY) for _, options in positive):
        check_instruction("")
