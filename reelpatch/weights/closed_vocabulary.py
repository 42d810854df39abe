"""Tokenizers that know whole words alone, as the demo's does: a word that they do not know is named, not read as nothing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from reelpatch.errors import BadInput

# Other spellings of words that the demo knows.
SPELLINGS: Mapping[str, str] = {
    "color": "colour",
    "colors": "colours",
    "recolor": "recolour",
    "greyscale": "grayscale",
}
_WORDS = re.compile(r"\w+")
_MAX_NAMED = 3


@dataclass(frozen=True)
class ClosedVocabulary:
    """The words of a tokenizer that knows no others, in lower case."""

    words: frozenset[str]

    @classmethod
    def of(cls, tokenizer_json: str) -> "ClosedVocabulary | None":
        """That of a tokenizer in the form of the library `tokenizers`; None for one that takes words apart."""
        model: Mapping[str, Any] = json.loads(tokenizer_json).get("model") or {}
        if model.get("type") != "WordLevel":
            return None
        return cls(frozenset(word for word in model["vocab"] if _WORDS.fullmatch(word)))

    def known(self, text: str) -> str:
        """The words of a text as the tokenizer has them: in lower case and its spelling, without punctuation.

        Raises: `BadInput` for words that it does not know, naming them and those that it knows.
        """
        words = [SPELLINGS.get(word, word) for word in _WORDS.findall(text.lower())]
        unknown = [word for word in dict.fromkeys(words) if word not in self.words]
        if unknown:
            raise BadInput(self._refusal(unknown))
        return " ".join(words)

    def _refusal(self, unknown: list[str]) -> str:
        named = ", ".join(f"'{word}'" for word in unknown[:_MAX_NAMED])
        more = len(unknown) - _MAX_NAMED
        others = f" and {more} more" if more > 0 else ""
        close = [
            match for word in unknown[:_MAX_NAMED] for match in get_close_matches(word, self.words, 1, 0.75)
        ]
        meant = f" (did you mean {' and '.join(close)}?)" if close else ""
        return (
            f"the demo does not know {named}{others}{meant}; it knows {', '.join(sorted(self.words))}: say it in these "
            "words, or use the weights of a published method."
        )
