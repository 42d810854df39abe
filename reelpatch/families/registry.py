"""The families of models that are known, by name: one line for each."""

from importlib import import_module

from reelpatch.errors import BadInput
from reelpatch.families.family import Family

_FAMILIES: dict[str, tuple[str, str]] = {
    "wan": ("reelpatch.families.wan.family", "WAN"),
    "wan-5b": ("reelpatch.families.wan.family", "WAN_5B_FAMILY"),
}


def family(name: str) -> Family:
    """The family of that name. Raises: `BadInput` for an unknown one, naming those that are known."""
    if name not in _FAMILIES:
        raise BadInput(f"there is no family of models '{name}': use one of {', '.join(_FAMILIES)}.")
    module, attribute = _FAMILIES[name]
    found = getattr(import_module(module), attribute)
    assert isinstance(found, Family)
    return found


def register(name: str, module: str, attribute: str) -> None:
    """Makes a family known that another package brings: `attribute` of `module`, imported when it is asked for."""
    _FAMILIES[name] = (module, attribute)
