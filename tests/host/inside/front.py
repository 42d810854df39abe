"""What the browser shows: workflows name real inputs, and every node has help and translations for all its inputs."""

from __future__ import annotations

import json
from pathlib import Path

import nodes

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / "workflows" / "api").glob("*.json"))
BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))


def ours():
    return {name: node for name, node in nodes.NODE_CLASS_MAPPINGS.items() if name.startswith("Reelpatch")}


def _widgets(node):
    """Names of inputs that the browser shows as widgets, in their order, and of all inputs."""
    given = node.INPUT_TYPES()
    every = {**given.get("required", {}), **given.get("optional", {})}
    plain = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
    is_widget = {name: isinstance(kind[0], list) or kind[0] in plain for name, kind in every.items()}
    return [name for name, yes in is_widget.items() if yes], set(every)


def _inner(schema):
    """The inputs that a choice brings with it, as translations name them."""
    choices = [one for one in schema.inputs if one.get_io_type() == "COMFY_DYNAMICCOMBO_V3"]
    return {
        f"{choice.id}_{one.id}" for choice in choices for option in choice.options for one in option.inputs
    }


def _check_inputs_of_choice(inputs, where):
    (choice,) = (
        one for one in nodes.NODE_CLASS_MAPPINGS["ReelpatchTask"].GET_SCHEMA().inputs if one.id == "task"
    )
    offered = {option.key: option.inputs for option in choice.options}[inputs["task"]]
    given = {name.removeprefix("task.") for name in inputs if name.startswith("task.")}
    assert {one.id for one in offered if not one.optional} <= given <= {one.id for one in offered}, where


def check_workflows_name_real_nodes_inputs_and_outputs():
    assert WORKFLOWS
    for path in WORKFLOWS:
        for node in json.loads(path.read_text(encoding="utf-8")).values():
            widgets, every = _widgets(nodes.NODE_CLASS_MAPPINGS[node["class_type"]])
            names = [name for name in node["inputs"] if "." not in name]
            assert set(names) <= every, (path.name, node["class_type"], set(names) - every)
            if node["class_type"] == "ReelpatchTask":
                _check_inputs_of_choice(node["inputs"], path.name)
            if node["class_type"].startswith("Reelpatch"):
                used = [name for name in names if name in widgets]
                assert set(used) == set(widgets), (path.name, node["class_type"], used, widgets)
        graph = json.loads((path.parents[1] / path.name).read_text(encoding="utf-8"))
        inside = {one["id"]: one for one in graph["definitions"]["subgraphs"]}
        shown = [node for one in (graph, *inside.values()) for node in one["nodes"]]
        for node in (one for one in shown if one["type"] not in ("MarkdownNote", *inside)):
            found = [output["type"] for output in node["outputs"]]
            assert found == list(nodes.NODE_CLASS_MAPPINGS[node["type"]].RETURN_TYPES), (
                path.name,
                node["type"],
            )


def check_blueprints_name_real_nodes_inputs_and_outputs():
    assert BLUEPRINTS
    for path in BLUEPRINTS:
        (subgraph,) = json.loads(path.read_text(encoding="utf-8"))["definitions"]["subgraphs"]
        for node in subgraph["nodes"]:
            where = (path.name, node["type"])
            real = nodes.NODE_CLASS_MAPPINGS[node["type"]]
            widgets, every = _widgets(real)
            names = {one["name"] for one in node["inputs"] if "." not in one["name"]}
            assert names <= every, (where, names - every)
            assert [one["type"] for one in node["outputs"]] == list(real.RETURN_TYPES), where
            if node["type"].startswith("Reelpatch") and node["type"] != "ReelpatchTask":
                seeds = sum(name == "seed" for name in widgets)  # the browser keeps a widget behind each
                assert len(node["widgets_values"]) == len(widgets) + seeds, where


def check_every_node_has_help():
    for name in ours():
        page = ROOT / "js" / "docs" / f"{name}.md"
        assert page.read_text(encoding="utf-8").startswith("# "), name


def check_every_node_is_translated():
    for language in ("en", "zh"):
        path = ROOT / "locales" / language / "nodeDefs.json"
        words = json.loads(path.read_text(encoding="utf-8"))
        assert set(words) == set(ours())
        for name, node in ours().items():
            assert words[name]["display_name"], name
            assert words[name]["description"], name
            schema = node.GET_SCHEMA()
            inner = _inner(schema) if language != "en" else set()  # the schema's own words serve in English
            assert set(words[name]["inputs"]) == {one.id for one in schema.inputs} | inner, name
            if language == "en":
                assert words[name]["description"] == schema.description, name
                for one in schema.inputs:
                    assert words[name]["inputs"][one.id].get("tooltip") == one.tooltip, (name, one.id)
