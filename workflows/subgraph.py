"""A subgraph: nodes behind one node, as ComfyUI's front end keeps them, and how a script queues them.

The inputs of the subgraph are the outputs of a boundary that its nodes link to. One that ends in a widget is a widget of the
node outside, with the value that the widget inside has.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.graph import GAP, PACK, Links, Node, Output, Stage, entry, group, place

BLUEPRINT = "blueprint"  # the owner of a subgraph that belongs to no template
INPUT_ID, OUTPUT_ID = -10, -20  # the front end's own
_BOUNDARY_WIDTH, _BOUNDARY_ROW = 180, 20
_FOOTER = 50  # what the newer way of drawing nodes puts below
_FIRST_ID = 101  # numbers of nodes are one to a workflow, those inside included


def boundary(*names_and_types: tuple[str, str]) -> Node:
    """What the inputs of a subgraph come from."""
    return Node("", "", names_and_types, id=INPUT_ID)


@dataclass(eq=False)
class Subgraph:
    """`given` are its inputs, in the order that the node outside has them; `outputs` are named ends of nodes inside.

    `widgets` are the values of those inputs that are widgets.
    """

    name: str
    description: str
    given: Node
    widgets: Mapping[str, Any]
    outputs: Mapping[str, Output]
    stages: Sequence[Stage]
    owner: str = BLUEPRINT
    first_id: int = _FIRST_ID
    search: Sequence[str] = ()
    nodes: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        """Places the nodes, which from then on have their numbers."""
        self.nodes = place(self.stages, (), first_id=self.first_id)

    @property
    def id(self) -> str:
        """The same for the same subgraph of the same workflow, whenever it is made."""
        return self._uuid("")

    def _uuid(self, part: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PACK}/{self.owner}/{self.name}/{part}"))

    def node(self, links: Mapping[str, Output] | None = None, width: int = 340) -> Node:
        """The node outside, with what is connected to it."""
        kinds = dict(self.given.outputs)
        return Node(
            self.id,
            self.name,
            [(name, output.type) for name, output in self.outputs.items()],
            sockets={name: kind for name, kind in kinds.items() if name not in self.widgets},
            links=dict(links or {}),
            widgets=dict(self.widgets),
            widget_types={name: kinds[name] for name in self.widgets},
            inside=self,
            width=width,
            room=_FOOTER,
        )

    def definition(self) -> dict[str, Any]:
        """As it stands in the `definitions` of a workflow."""
        links = Links()
        entries = [entry(node, links) for node in self.nodes]
        for slot, output in enumerate(self.outputs.values()):
            links.add(output, OUTPUT_ID, slot, output.type)
        for node, written in zip(self.nodes, entries, strict=True):
            written["outputs"] = links.outputs(node)
        right = max(node.position[0] + node.width for node in self.nodes) + 4 * GAP
        left = -4 * GAP - _BOUNDARY_WIDTH
        return {
            "id": self.id,
            "version": 1,
            "state": {
                "lastGroupId": len(self.stages),
                "lastNodeId": self.nodes[-1].id,
                "lastLinkId": len(links.rows),
                "lastRerouteId": 0,
            },
            "revision": 0,
            "config": {},
            "name": self.name,
            "category": PACK,
            "description": self.description,
            "inputNode": {"id": INPUT_ID, "bounding": self._bounding(left, len(self.given.outputs))},
            "outputNode": {"id": OUTPUT_ID, "bounding": self._bounding(right, len(self.outputs))},
            "inputs": [
                self._slot("in", left, slot, name, kind, links.given(self.given.id, slot))
                for slot, (name, kind) in enumerate(self.given.outputs)
            ],
            "outputs": [
                self._slot("out", right, slot, name, output.type, links.into(OUTPUT_ID, slot))
                for slot, (name, output) in enumerate(self.outputs.items())
            ],
            "widgets": [],
            "nodes": entries,
            "groups": [group(number, stage) for number, stage in enumerate(self.stages, start=1)],
            "links": [
                dict(
                    zip(
                        ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type"),
                        row,
                        strict=True,
                    )
                )
                for row in links.rows
            ],
            "extra": {},
        }

    @staticmethod
    def _bounding(left: int, num_slots: int) -> list[int]:
        return [left, 0, _BOUNDARY_WIDTH, _BOUNDARY_ROW * (num_slots + 2)]

    def _slot(
        self, side: str, left: int, slot: int, name: str, kind: str, links: Sequence[int]
    ) -> dict[str, Any]:
        return {
            "id": self._uuid(f"{side}/{name}"),
            "name": name,
            "type": kind,
            "linkIds": list(links),
            "pos": [left + _BOUNDARY_WIDTH // 2, _BOUNDARY_ROW * (slot + 1)],
        }


def blueprint(subgraph: Subgraph) -> dict[str, Any]:
    """The file that ComfyUI's node library offers a subgraph from."""
    node = subgraph.node()
    node.id, node.position = 1, (0, 0)
    written = entry(node, Links())
    written["outputs"] = Links().outputs(node)
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PACK}/{subgraph.owner}/{subgraph.name}/file")),
        "revision": 0,
        "last_node_id": subgraph.nodes[-1].id,
        "last_link_id": 0,
        "nodes": [written],
        "links": [],
        "groups": [],
        "config": {},
        "definitions": {"subgraphs": [subgraph.definition()]},
        "extra": {
            "BlueprintDescription": subgraph.description,
            "BlueprintSearchAliases": list(subgraph.search),
        },
        "version": 0.4,
    }
