"""A ComfyUI workflow from one description, as the browser saves it (UI) and as a script queues it (API).

Both files are written from the same nodes, so that they always agree. Widgets stand in the order of the node's schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from workflows.subgraph import Subgraph

CORE, PACK = "comfy-core", "reelpatch"
CORE_VERSION, PACK_VERSION = "0.33.0", "0.1.0"
TITLE_HEIGHT, SOCKET_HEIGHT, WIDGET_HEIGHT, TEXT_HEIGHT = 40, 22, 26, 120
GAP, PAD, GROUP_TOP = 30, 20, 60
WIDGET_TYPES = {bool: "BOOLEAN", int: "INT", float: "FLOAT", str: "STRING"}
COMBOS = frozenset(
    {
        *("backbone", "edit_module", "lora", "second_lora", "vae", "text_encoder", "clip_vision"),
        *("fit", "blend", "match", "mask_channel", "sample"),
    }
)
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
    node, in pixels, for what it says after a run. `inside` is the subgraph that a node stands for. `order` is that of all
    inputs where it is not sockets first and then widgets.
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
    inside: Subgraph | None = None
    order: Sequence[str] = ()
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


@dataclass(eq=False)
class Links:
    """The links of one graph, as the browser keeps them: number, origin, its slot, target, its slot, type."""

    rows: list[list[Any]] = field(default_factory=list)

    def add(self, origin: Output, target: int, slot: int, kind: str) -> int:
        """The number of a new link."""
        self.rows.append([len(self.rows) + 1, origin.node.id, origin.slot, target, slot, kind])
        return len(self.rows)

    def given(self, node: int, slot: int) -> list[int]:
        """The links that begin at an output."""
        return [number for number, origin, at, *_ in self.rows if (origin, at) == (node, slot)]

    def into(self, node: int, slot: int) -> list[int]:
        """The links that end at an input."""
        return [number for number, _, _, target, at, _ in self.rows if (target, at) == (node, slot)]

    def outputs(self, node: Node) -> list[dict[str, Any]]:
        """The outputs of a node, with the links that begin there."""
        return [
            {"name": name, "type": kind, "links": self.given(node.id, slot) or None}
            for slot, (name, kind) in enumerate(node.outputs)
        ]


def build(stages: Sequence[Stage], notes: Sequence[Node] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """The UI form and the API form of a graph laid out from left to right; notes stand to the left of all."""
    nodes = place(stages, notes)
    links = Links()
    entries = [entry(node, links) for node in nodes]
    for node, written in zip(nodes, entries, strict=True):
        written["outputs"] = links.outputs(node)
    inside = [node.inside for node in nodes if node.inside is not None]
    ui = {
        "id": "",
        "revision": 0,
        "last_node_id": max([len(nodes), *(subgraph.nodes[-1].id for subgraph in inside)]),
        "last_link_id": len(links.rows),
        "nodes": entries,
        "links": links.rows,
        "groups": [group(number, stage) for number, stage in enumerate(stages, start=1)],
        **({"definitions": {"subgraphs": [one.definition() for one in inside]}} if inside else {}),
        "config": {},
        "extra": {},
        "version": 0.4,
    }
    return ui, {key: queued for node in nodes for key, queued in _queued(node)}


def place(stages: Sequence[Stage], notes: Sequence[Node], first_id: int = 1) -> list[Node]:
    """The nodes in columns from left to right, with their numbers; notes stand first."""
    nodes: list[Node] = []
    columns = [notes, *(stage.nodes for stage in stages)]
    left = 0
    for column in columns:
        top = GROUP_TOP if column is not notes else 0
        for node in column:
            node.id, node.position = len(nodes) + first_id, (left, top)
            nodes.append(node)
            top = node.bottom + GAP + TITLE_HEIGHT
        left += max((node.width for node in column), default=-2 * GAP) + 2 * GAP
    return nodes


def entry(node: Node, links: Links) -> dict[str, Any]:
    """A node as the browser keeps it, without its outputs, which later nodes link to."""
    is_pack = node.type.startswith("Reelpatch") or node.inside is not None
    properties: dict[str, Any] = {} if node.inside else {"Node name for S&R": node.type}
    if node.type != "MarkdownNote":
        properties |= {"cnr_id": PACK if is_pack else CORE, "ver": PACK_VERSION if is_pack else CORE_VERSION}
    if node.models:
        properties["models"] = list(node.models)
    return {
        "id": node.id,
        "type": node.type,
        "title": node.title,
        "pos": list(node.position),
        "size": list(node.size),
        "flags": {},
        "order": node.id - 1,
        "mode": 0,
        "inputs": _inputs(node, links),
        "outputs": [],
        "properties": properties,
        "widgets_values": _widget_values(node),
    }


def _inputs(node: Node, links: Links) -> list[dict[str, Any]]:
    """Sockets, and where a widget is linked every widget too: links go by places, of which the browser counts all."""
    inputs: list[dict[str, Any]] = []
    own = [*node.sockets, *node.widgets] if set(node.widgets) & set(node.links) else list(node.sockets)
    for name in [name for name, _ in node.inside.given.outputs] if node.inside else node.order or own:
        is_linked, is_widget = name in node.links, name in node.widgets
        kind = _widget_type(node, name) if is_widget else node.sockets[name]
        # A link has one type, where the socket may take several.
        carried = node.links[name].type if is_linked and not is_widget else kind
        link = links.add(node.links[name], node.id, len(inputs), carried) if is_linked else None
        widget = {"widget": {"name": name}} if is_widget else {}
        inputs.append({"name": name, "type": kind, **widget, "link": link})
    return inputs


def _widget_type(node: Node, name: str) -> str:
    if name in node.widget_types:
        return node.widget_types[name]
    if name in COMBOS:
        return "COMBO"
    return next(kind for type_, kind in WIDGET_TYPES.items() if type(node.widgets[name]) is type_)


def _widget_values(node: Node) -> list[Any]:
    """As the browser keeps them: what happens to a seed after a run stands behind it, other hidden ones at the end."""
    hidden = dict(node.hidden)
    values: list[Any] = []
    for name, value in node.widgets.items():
        values.append(value)
        if name == "seed" and SEED_CONTROL in hidden:
            values.append(hidden.pop(SEED_CONTROL))
    return [*values, *hidden.values()]


def _queued(node: Node, outside: Node | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """A node as a script queues it, with its number; a subgraph as the nodes inside."""
    if node.type == "MarkdownNote":
        return
    if node.inside is not None:
        for one in node.inside.nodes:
            yield from _queued(one, node)
        return
    inputs: dict[str, Any] = {}
    for name in (*node.widgets, *node.sockets):
        origin = node.links.get(name)
        given = "" if origin is None else origin.node.outputs[origin.slot][0]
        if origin is None:
            inputs |= {name: node.widgets[name]} if name in node.widgets else {}
        elif origin.node.id > 0:
            inputs[name] = _address(origin, outside)
        elif outside is not None and given in outside.links:
            inputs[name] = _address(outside.links[given], None)
        elif outside is not None and given in outside.widgets:
            inputs[name] = outside.widgets[given]
    key = f"{outside.id}:{node.id}" if outside else str(node.id)
    yield key, {"inputs": inputs, "class_type": node.type, "_meta": {"title": node.title}}


def _address(origin: Output, outside: Node | None) -> list[Any]:
    """The number of the node that really makes an output, and its slot there."""
    if origin.node.inside is not None:
        name = origin.node.outputs[origin.slot][0]
        return _address(origin.node.inside.outputs[name], origin.node)
    return [f"{outside.id}:{origin.node.id}" if outside else str(origin.node.id), origin.slot]


def group(number: int, stage: Stage) -> dict[str, Any]:
    """The frame around a stage."""
    left = min(node.position[0] for node in stage.nodes)
    bottom = max(node.bottom for node in stage.nodes)
    width = max(node.width for node in stage.nodes)
    return {
        "id": number,
        "title": stage.title,
        "bounding": [left - PAD, -GAP, width + 2 * PAD, bottom + 2 * GAP],
        "color": stage.colour,
        "font_size": 24,
        "flags": {},
    }
