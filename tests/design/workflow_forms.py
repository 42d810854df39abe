"""What is read of the files of a workflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from workflows.describe import paths
from workflows.templates import Workflow


def name_of(workflow: Workflow) -> str:
    return workflow.name


def forms(workflow: Workflow) -> tuple[dict[str, Any], dict[str, Any]]:
    ui, api = (json.loads(path.read_text(encoding="utf-8")) for path in paths(workflow))
    return ui, api


def inputs(workflow: Workflow, kind: str) -> list[dict[str, Any]]:
    """The inputs of the nodes of a type, read from the file that is queued."""
    return [node["inputs"] for node in forms(workflow)[1].values() if node["class_type"] == kind]


def note_of(workflow: Workflow) -> str:
    (note,) = (node for node in forms(workflow)[0]["nodes"] if node["type"] == "MarkdownNote")
    return note["widgets_values"][0]


def nodes_of(ui: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a workflow and of its subgraphs."""
    for graph in (ui, *ui["definitions"]["subgraphs"]):
        yield from (node for node in graph["nodes"] if node["type"] != "MarkdownNote")
