"""Our sentences as they reach the browser: folders of the server are named as the person knows them, models/vae."""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io

from reelpatch.errors import BadInput

# Settings that nodes have under another name, or as several inputs.
_IDS = {
    "size": ("width", "height"),
    "reference": ("references",),
    "box": ("boxes",),
    "window": ("start", "end"),
    "output": ("filename_prefix",),
}
_ENDS = r"(?=[/\\\s'\":,.;)]|$)"


def tell_plainly(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The node, whose refusals name no folder of the server, but the input that corrects them."""
    execute: Callable[..., Any] = node.__dict__["execute"].__func__

    @functools.wraps(execute)
    def told(cls: type[io.ComfyNode], *args: Any, **kwargs: Any) -> Any:
        try:
            return execute(cls, *args, **kwargs)
        except BadInput as refusal:
            inputs = dict(_labels(cls.define_schema().inputs))
            told = refusal.naming(lambda setting: _spelled(setting, inputs), "on the node: ")
            raise BadInput(without_folders(told)) from refusal

    type.__setattr__(node, "execute", classmethod(told))  # the base class of nodes has no such name
    return node


def _labels(inputs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """What each input is called on the node, by its id; those of choices that bring further ones among them."""
    for one in inputs:
        yield one.id, one.display_name or one.id
        for choice in getattr(one, "options", None) or ():
            yield from _labels(getattr(choice, "inputs", ()))


def _spelled(setting: str, inputs: Mapping[str, str]) -> str:
    """The inputs that are the setting on this node, empty where it has none."""
    names = [inputs[one] for one in _IDS.get(setting, (setting,)) if one in inputs]
    return " and ".join(names)


def without_folders(text: str) -> str:
    """The text with each of ComfyUI's own folders by its name there, whatever it lies in on this machine."""
    for folder, name in sorted(_folders(), key=lambda known: -len(known[0])):
        text = re.sub(re.escape(folder) + _ENDS, name, text)
    return text


def _folders() -> Iterator[tuple[str, str]]:
    for kind, (places, _) in folder_paths.folder_names_and_paths.items():
        for place in places:
            yield str(Path(place)), f"models/{kind}"
    yield folder_paths.get_input_directory(), "input"
    yield folder_paths.get_output_directory(), "output"
    yield folder_paths.get_temp_directory(), "temp"
    yield folder_paths.base_path, "ComfyUI"
