"""The recipes that there are, and how to get one by name."""

from collections.abc import Iterator, MutableMapping
from difflib import get_close_matches
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
    """Recipes by name; a module that holds some is imported when no earlier one has what was asked for."""

    def __init__(self) -> None:
        self._records: dict[str, Recipe] = {}
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Recipe:
        return self._up_to(name)[name]

    def __setitem__(self, name: str, record: Recipe) -> None:
        self._up_to(None)[name] = record

    def __delitem__(self, name: str) -> None:
        del self._up_to(None)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._up_to(None))

    def __len__(self) -> int:
        return len(self._up_to(None))

    def _up_to(self, name: str | None) -> dict[str, Recipe]:
        """The records of the modules up to the one that has this name; of all for None. Threads may ask at once."""
        for module, records in _PLACES:
            if name in self._records:
                break
            if module not in self._read:
                for record in getattr(import_module(module), records):
                    self._records.setdefault(record.name, record)
                self._read.add(module)
        return self._records


RECIPES = Recipes()


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises: BadInput for an unknown name; the message offers the closest ones, or all.
    """
    if name in RECIPES:
        return RECIPES[name]
    close = get_close_matches(name, RECIPES, cutoff=0.5) or list(RECIPES)
    raise BadInput(f"there is no recipe '{name}': did you mean {' or '.join(close)}?")
