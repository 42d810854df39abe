"""Whether a text can be read, found out from the headers of text encoders before any weights are."""

from pathlib import Path
from typing import Protocol, cast

from reelpatch.families.family import Family, start
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.weights.closed_vocabulary import ClosedVocabulary
from reelpatch.weights.header import Kind, expect

TOKENIZER_KEY = "tokenizer_json"  # in the metadata of an encoder's file


class TextCheck(Protocol):
    """What a family's text encoders are known to read."""

    def check_files(self, files: RecipeFiles) -> None:
        """Raises: `BadInput` for encoders that can read no text for this backbone."""
        ...

    def check(self, files: RecipeFiles, text: str) -> None:
        """Raises: `BadInput` for a text that they cannot read."""
        ...


class KnownWords:
    """As `TextCheck`, for UMT5: a tokenizer of whole words alone, such as the demo's, knows few. For one encoder."""

    def __init__(self) -> None:
        self._closed: dict[Path, ClosedVocabulary | None] = {}

    def check_files(self, files: RecipeFiles) -> None:
        """Its tokenizer is looked for when it is loaded: the cache of texts may know all that is asked."""

    def check(self, files: RecipeFiles, text: str) -> None:
        path = files.text_encoder
        if path not in self._closed:
            told = expect(path, Kind.UMT5).metadata.get(TOKENIZER_KEY)
            self._closed[path] = None if told is None else ClosedVocabulary.of(told)
        closed = self._closed[path]
        if closed is not None:
            closed.known(text)


def text_check_of(family: Family) -> TextCheck:
    """That of UMT5, unless the family has its own."""
    return KnownWords() if family.text_check is None else cast(TextCheck, start(family.text_check))
