"""What is known by name, one line for each, and imported when it is asked for; here the families of models."""

from importlib import import_module
from typing import Generic, TypeVar

from reelpatch.errors import BadInput
from reelpatch.families.family import Family

Record = TypeVar("Record")


class Registry(Generic[Record]):
    """Records by name, each in a module of its own; `what` is how a sentence calls one of them."""

    def __init__(self, what: str, kind: type[Record], places: dict[str, tuple[str, str]]) -> None:
        self._what, self._kind, self._places = what, kind, places

    def find(self, name: str) -> Record:
        """The record of that name. Raises: `BadInput` for an unknown one, naming those that are known."""
        if name not in self._places:
            raise BadInput(f"there is no {self._what} '{name}': use one of {', '.join(self._places)}.")
        module, attribute = self._places[name]
        found = getattr(import_module(module), attribute)
        assert isinstance(found, self._kind)
        return found

    def all(self) -> list[Record]:
        """All records, in the order they were made known."""
        return [self.find(name) for name in self._places]

    def register(self, name: str, module: str, attribute: str) -> None:
        """Makes a record known that another package brings: `attribute` of `module`."""
        self._places[name] = (module, attribute)


FAMILIES = Registry(
    "family of models",
    Family,
    {
        "wan": ("reelpatch.families.wan.family", "WAN"),
        "wan-5b": ("reelpatch.families.wan.family", "WAN_5B_FAMILY"),
        "hunyuan-1.5": ("reelpatch.families.hunyuan15.family", "HUNYUAN_15"),
    },
)
