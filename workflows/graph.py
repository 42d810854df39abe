"""A ComfyUI workflow from one description, as the browser saves it (UI) and as a script queues it (API).

Both files are written from the same nodes, so that they always agree. Widgets stand in the order of the node's schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CORE, PACK = "comfy-core", "reelpatch"
CORE_VERSION, PACK_VERSION = "0.33.0", "0.1.0"
TITLE_HEIGHT, SOCKET_HEIGHT, WIDGET_HEIGHT, TEXT_HEIGHT = 40, 22, 26, 120
GAP, GROUP_TOP = 30, 60
SEED_CONTROL = "control_after_generate"  # a widget that the browser puts behind a seed


class Output(NamedTuple):
    """One output of a node."""

    node: Node
    slot: int

    @property
    def type(self) -> str:
        """What it carries."""
        return self.node.outputs[self.slot][1]


@dataclass(eq=False)
class Node:
    """A node: its sockets and its widgets by name, in the order of its schema.

    `sockets` name the type of every input that is no widget, and `links` what is connected, widgets included.
    `hidden` are widgets that the browser shows or keeps, and the server does not know. `room` is kept free beneath the
    node, in pixels, for what it says after a run.
    """

    type: str
    title: str
    outputs: Sequence[tuple[str, str]]
    sockets: dict[str, str] = field(default_factory=dict)
    links: dict[str, Output] = field(default_factory=dict)
    widgets: dict[str, Any] = field(default_factory=dict)
    widget_types: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, Any] = field(default_factory=dict)
    models: Sequence[dict[str, str]] = ()
    width: int = 330
    height: int = 0
    room: int = 0
    id: int = 0
    position: tuple[int, int] = (0, 0)

    def __getitem__(self, name: str) -> Output:
        """The output of that name."""
        return Output(self, [title for title, _ in self.outputs].index(name))

    @property
    def bottom(self) -> int:
        """Where the node ends, with the room beneath it."""
        return self.position[1] + self.size[1] + self.room

    @property
    def size(self) -> tuple[int, int]:
        rows = max(len(self.sockets), len(self.outputs))
        texts = sum(isinstance(value, str) and len(value) > 60 for value in self.widgets.values())
        widgets = len(self.widgets) + len(self.hidden)
        own = TITLE_HEIGHT + SOCKET_HEIGHT * rows + WIDGET_HEIGHT * widgets + TEXT_HEIGHT * texts
        return self.width, self.height or own


@dataclass(eq=False)
class Stage:
    """A column of nodes under one title."""

    title: str
    colour: str
    nodes: Sequence[Node]


def build(stages: Sequence[Stage], notes: Sequence[Node] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """The UI form and the API form of a graph laid out from left to right; notes stand to the left of all."""
    nodes = _placed(stages, notes)
    links: list[list[Any]] = []
    given: dict[tuple[int, int], list[int]] = {}
    entries = [_entry(node, links, given) for node in nodes]
    for node, entry in zip(nodes, entries, strict=True):
        entry["outputs"] = [
            {"name": name, "type": kind, "links": given.get((node.id, slot))}
            for slot, (name, kind) in enumerate(node.outputs)
        ]
    ui = {
        "id": "",
        "revision": 0,
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": entries,
        "links": links,
        "groups": [_group(number, stage) for number, stage in enumerate(stages, start=1)],
        "config": {},
        "extra": {},
        "version": 0.4,
    }
    api = {str(node.id): _api(node) for node in nodes if node.type != "MarkdownNote"}
    return ui, api


def _placed(stages: Sequence[Stage], notes: Sequence[Node]) -> list[Node]:
    nodes: list[Node] = []
    columns = [notes, *(stage.nodes for stage in stages)]
    left = 0
    for column in columns:
        top = GROUP_TOP if column is not notes else 0
        for node in column:
            node.id, node.position = len(nodes) + 1, (left, top)
            nodes.append(node)
            top = node.bottom + GAP + TITLE_HEIGHT
        left += max((node.width for node in column), default=-3 * GAP) + 3 * GAP
    return nodes


def _entry(node: Node, links: list[list[Any]], given: dict[tuple[int, int], list[int]]) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = []
    for name, kind in node.sockets.items():
        # A link has one type, where the socket may take several.
        carried = node.links[name].type if name in node.links else kind
        inputs.append(
            {"name": name, "type": kind, "link": _link(node, name, carried, len(inputs), links, given)}
        )
    for name in node.widgets:
        if name in node.links:
            kind = node.widget_types[name]
            link = _link(node, name, kind, len(inputs), links, given)
            inputs.append({"name": name, "type": kind, "widget": {"name": name}, "link": link})
    is_pack = node.type.startswith("Reelpatch")
    properties: dict[str, Any] = {"Node name for S&R": node.type}
    if node.type != "MarkdownNote":
        properties |= {"cnr_id": PACK if is_pack else CORE, "ver": PACK_VERSION if is_pack else CORE_VERSION}
    if node.models:
        properties["models"] = list(node.models)
    values = _widget_values(node)
    return {
        "id": node.id,
        "type": node.type,
        "title": node.title,
        "pos": list(node.position),
        "size": list(node.size),
        "flags": {},
        "order": node.id - 1,
        "mode": 0,
        "inputs": inputs,
        "outputs": [],
        "properties": properties,
        "widgets_values": values,
    }


def _widget_values(node: Node) -> list[Any]:
    """As the browser keeps them: what happens to a seed after a run stands behind it, other hidden ones at the end."""
    hidden = dict(node.hidden)
    values: list[Any] = []
    for name, value in node.widgets.items():
        values.append(value)
        if name == "seed" and SEED_CONTROL in hidden:
            values.append(hidden.pop(SEED_CONTROL))
    return [*values, *hidden.values()]


def _link(
    node: Node,
    name: str,
    kind: str,
    slot: int,
    links: list[list[Any]],
    given: dict[tuple[int, int], list[int]],
) -> int | None:
    if name not in node.links:
        return None
    origin = node.links[name]
    number = len(links) + 1
    links.append([number, origin.node.id, origin.slot, node.id, slot, kind])
    given.setdefault((origin.node.id, origin.slot), []).append(number)
    return number


def _api(node: Node) -> dict[str, Any]:
    inputs: dict[str, Any] = {name: value for name, value in node.widgets.items() if name not in node.links}
    inputs |= {name: [str(origin.node.id), origin.slot] for name, origin in node.links.items()}
    return {"inputs": inputs, "class_type": node.type, "_meta": {"title": node.title}}


def _group(number: int, stage: Stage) -> dict[str, Any]:
    left = min(node.position[0] for node in stage.nodes)
    bottom = max(node.bottom for node in stage.nodes)
    width = max(node.width for node in stage.nodes)
    return {
        "id": number,
        "title": stage.title,
        "bounding": [left - GAP, -GAP, width + 2 * GAP, bottom + 2 * GAP],
        "color": stage.colour,
        "font_size": 24,
        "flags": {},
    }
