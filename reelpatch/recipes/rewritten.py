"""What a language model answered, as an instruction: without its thoughts and its packing, or refused in one sentence."""

import re

from reelpatch.errors import BadInput
from reelpatch.recipes.rewriting import Aim

_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\s*|\s*```$")
_LABEL = re.compile(
    r"^(?:rewritten (?:text|instruction|prompt)|prompt|instruction|answer)\s*:\s*", re.IGNORECASE
)
_REFUSALS = re.compile(
    r"(?:i['’]?m sorry|i am sorry|sorry,|i can(?:no|['’])t|i am unable|i['’]?m unable|i won['’]t|as an ai)",  # noqa: RUF001 -- as models write it
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "'": "'"}
_TOO_LONG = 3  # times the most words that were asked for
_SHOWN_CHARACTERS = 120


def rewritten(answer: str, aim: Aim) -> str:
    """The text that is to be read in place of an instruction.

    Raises: `BadInput` for an answer that is empty, refuses, never stopped thinking, or is far longer than what was asked for.
    """
    text = _THOUGHTS.sub("", answer).strip()
    if "<think>" in text.lower():
        raise BadInput(
            "the language model was still thinking when its answer ended: use one that does not think aloud, or turn that off."
        )
    text = _unpacked(text)
    if not text:
        raise BadInput("the language model answered with nothing: try again, or use another one.")
    if _REFUSALS.match(text):
        raise BadInput(
            f"the language model refused to rewrite the instruction ({shortened(text)}): say it in other words, or use another one."
        )
    num_words, most = len(text.split()), _TOO_LONG * aim.words[1]
    if num_words > most:
        raise BadInput(
            f"the language model answered with {num_words} words, where {aim.words[0]} to {aim.words[1]} were asked for: use "
            "another one."
        )
    return text


def _unpacked(text: str) -> str:
    text = _LABEL.sub("", _FENCE.sub("", text).strip())
    text = " ".join(text.split())
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def shortened(text: str) -> str:
    """What a model or a server said, as long as a sentence can quote it, in one line."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
