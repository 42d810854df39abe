"""The kinds of edits that are known, by name: one line for each."""

from importlib import import_module

from reelpatch.edits.kind import EditKind
from reelpatch.errors import BadInput

_KINDS: dict[str, tuple[str, str]] = {
    "vace": ("reelpatch.edits.vace.kind", "VACE"),
    "segments": ("reelpatch.edits.segments.kind", "SEGMENTS"),
    "reasoning": ("reelpatch.edits.reasoning.kind", "REASONING"),
    "enhance": ("reelpatch.edits.enhance.kind", "ENHANCE"),
}


def edit_kind(name: str) -> EditKind:
    """The kind of that name. Raises: `BadInput` for an unknown one, naming those that are known."""
    if name not in _KINDS:
        raise BadInput(f"there is no kind of edit '{name}': use one of {', '.join(_KINDS)}.")
    module, attribute = _KINDS[name]
    found = getattr(import_module(module), attribute)
    assert isinstance(found, EditKind)
    return found


def register(name: str, module: str, attribute: str) -> None:
    """Makes a kind known that another package brings: `attribute` of `module`, imported when it is asked for."""
    _KINDS[name] = (module, attribute)
