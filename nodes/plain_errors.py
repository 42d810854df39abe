"""Our sentences as they reach the browser: folders of the server are named as the person knows them, models/vae."""

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io

from reelpatch.errors import BadInput

_ENDS = r"(?=[/\\\s'\":,.;)]|$)"


def tell_plainly(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The node, whose refusals name no folder of the server."""
    execute: Callable[..., Any] = node.__dict__["execute"].__func__

    @functools.wraps(execute)
    def told(cls: type[io.ComfyNode], *args: Any, **kwargs: Any) -> Any:
        try:
            return execute(cls, *args, **kwargs)
        except BadInput as refusal:
            raise BadInput(without_folders(str(refusal)), option=refusal.option) from refusal

    type.__setattr__(node, "execute", classmethod(told))  # the base class of nodes has no such name
    return node


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
