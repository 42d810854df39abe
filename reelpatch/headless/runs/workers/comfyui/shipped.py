"""The workflows that come with Reelpatch, in the form that ComfyUI's API takes, and the places in them to fill in.

A place is named as people see it: the title of a node and the name of an input, `Instruction.text`.
"""

import json
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from reelpatch.errors import BadInput

Prompt = dict[str, Any]
_FILE_INPUTS = {
    ("LoadVideo", "file"): "video",
    ("LoadImage", "image"): "image",
    ("LoadImageMask", "image"): "image",
}
RESULT = "Result"
"""The title of the node whose file is what a workflow makes."""


@dataclass(frozen=True)
class Place:
    """An input of a node that holds a value; `file` is "video" or "image" where that is the name of an uploaded file."""

    node: str
    title: str
    name: str
    value: Any
    file: str = ""

    def __str__(self) -> str:
        return f"{self.title}.{self.name}"


def folder() -> Path:
    """Where they are: beside the package in a checkout, among its data where it was installed.

    Raises: `BadInput` where they were left out.
    """
    beside = Path(__file__).parents[5] / "workflows" / "api"
    installed = Path(sysconfig.get_path("data")) / "share" / "reelpatch" / "workflows"
    for found in (beside, installed):
        if found.is_dir():
            return found
    raise BadInput(
        f"the workflows are neither in {beside} nor in {installed}: install Reelpatch anew, or run it from its repository."
    )


def names() -> list[str]:
    """Of all workflows."""
    return sorted(path.stem for path in folder().glob("*.json"))


def shipped(name: str) -> Prompt:
    """A workflow by its name. Raises: `BadInput` for a name that none has."""
    known = names()
    if name not in known:
        near = get_close_matches(name, known, 1, 0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise BadInput(f"there is no workflow {name[:80]!r}{hint}: `reelpatch workflows` lists them.")
    return json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))


def places(prompt: Prompt) -> Iterator[Place]:
    """Everything in a workflow that holds a value of its own, in the order of its nodes."""
    for node, content in prompt.items():
        inputs = cast(Mapping[str, Any], content["inputs"])
        for name, value in inputs.items():
            if not is_link(value):
                kind = _FILE_INPUTS.get((content["class_type"], name), "")
                yield Place(node, title_of(content), name, value, kind)


def place_named(prompt: Prompt, text: str) -> Place:
    """The place of a name, "Title.input". Raises: `BadInput` where there is none, or several."""
    found = [place for place in places(prompt) if str(place) == text]
    if not found:
        near = get_close_matches(text, [str(place) for place in places(prompt)], 1, 0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise BadInput(
            f"the workflow has no place {text[:80]!r}{hint}: `reelpatch workflows NAME` lists its places."
        )
    if len(found) > 1:
        raise BadInput(
            f"the workflow has {len(found)} nodes with a place {text!r}, so that none of them is meant by it: leave it out."
        )
    return found[0]


def title_of(node: Mapping[str, Any]) -> str:
    """The title that people see on a node."""
    return str(node.get("_meta", {}).get("title") or node["class_type"])


def is_link(value: Any) -> bool:
    """Whether an input takes what another node gives."""
    return isinstance(value, list)


def result_node(prompt: Prompt) -> str:
    """The number of the node whose file is the result."""
    return next(number for number, node in prompt.items() if title_of(node) == RESULT)


def suffix_of(prompt: Prompt) -> str:
    """How names of results end."""
    return ".png" if prompt[result_node(prompt)]["class_type"] == "SaveImage" else ".mp4"
