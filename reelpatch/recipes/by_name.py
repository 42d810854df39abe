"""The recipes that there are, and how to get one by name."""

from collections.abc import Iterator, MutableMapping
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module

from reelpatch.errors import BadInput
from reelpatch.recipes.record import Recipe

_PLACES = (
    ("reelpatch.recipes.methods", "METHODS"),
    ("reelpatch.recipes.in_context", "IN_CONTEXT"),
    ("reelpatch.recipes.channels", "CHANNELS"),
    ("reelpatch.recipes.shared_attention", "SHARED_ATTENTION"),
)


class Recipes(MutableMapping[str, Recipe]):
    """Recipes by name; the modules that hold them are imported when the first one is asked for."""

    @cached_property
    def _records(self) -> dict[str, Recipe]:
        tuples = (getattr(import_module(module), name) for module, name in _PLACES)
        return {record.name: record for records in tuples for record in records}

    def __getitem__(self, name: str) -> Recipe:
        return self._records[name]

    def __setitem__(self, name: str, record: Recipe) -> None:
        self._records[name] = record

    def __delitem__(self, name: str) -> None:
        del self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


RECIPES = Recipes()


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises: BadInput for an unknown name; the message offers the closest ones, or all.
    """
    if name in RECIPES:
        return RECIPES[name]
    close = get_close_matches(name, RECIPES, cutoff=0.5) or list(RECIPES)
    raise BadInput(f"there is no recipe '{name}': did you mean {' or '.join(close)}?")
