"""The shipped blueprints are what is described, whole in themselves, and part of what is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workflows.blueprints import FOLDER, files

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in files()]
BY_WORD = "Mask by a word"  # has no recipe
MAIN_JOBS = {
    "Edit video by instruction",
    "Edit video by channels",
    "Edit video in context",
    "References to video in context",
    "Edit video side by side",
    "Edit video by an edit adapter",
    "Enhance video",
    "Edit picture by reasoning",
    "Make a pair of clips",
    "Edit video by two captions",
}


def written(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_files_are_what_is_described() -> None:
    assert set(FOLDER.iterdir()) == set(files())
    for path, form in files().items():
        assert written(path.stem) == json.loads(json.dumps(form)), path.name


def test_the_main_jobs_are_there() -> None:
    assert set(NAMES) > MAIN_JOBS
    assert all(name in {*MAIN_JOBS, BY_WORD} or name.startswith("VACE task - ") for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_node_outside_has_the_subgraph_s_inputs_and_outputs(name: str) -> None:
    form = written(name)
    (node,), (subgraph,) = form["nodes"], form["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"]
    for side in ("inputs", "outputs"):
        assert [(one["name"], one["type"]) for one in node[side]] == [
            (one["name"], one["type"]) for one in subgraph[side]
        ]
    widgets = [one["name"] for one in node["inputs"] if "widget" in one]
    assert len(node["widgets_values"]) == len(widgets)
    assert form["extra"]["BlueprintDescription"] == subgraph["description"]


@pytest.mark.parametrize("name", NAMES)
def test_every_link_ends_where_its_slots_say(name: str) -> None:
    (subgraph,) = written(name)["definitions"]["subgraphs"]
    links = {one["id"]: one for one in subgraph["links"]}
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    seen: set[int] = set()
    for node in nodes.values():
        for slot, one in enumerate(node["inputs"]):
            if one["link"] is not None:
                assert (links[one["link"]]["target_id"], links[one["link"]]["target_slot"]) == (
                    node["id"],
                    slot,
                )
                seen.add(one["link"])
        for slot, one in enumerate(node["outputs"]):
            for number in one["links"] or []:
                assert (links[number]["origin_id"], links[number]["origin_slot"]) == (node["id"], slot)
    for one in subgraph["inputs"]:
        assert one["linkIds"], (name, one["name"])
        assert all(links[number]["origin_id"] == -10 for number in one["linkIds"])
    for one in subgraph["outputs"]:
        (number,) = one["linkIds"]
        assert links[number]["target_id"] == -20
        seen.add(number)
    assert seen == set(links)


@pytest.mark.parametrize("name", NAMES)
def test_a_widget_outside_has_the_value_that_is_inside(name: str) -> None:
    form = written(name)
    (node,), (subgraph,) = form["nodes"], form["definitions"]["subgraphs"]
    outside = dict(
        zip((one["name"] for one in node["inputs"] if "widget" in one), node["widgets_values"], strict=True)
    )
    links = {one["id"]: one for one in subgraph["links"]}
    inside = {one["id"]: one for one in subgraph["nodes"]}
    for one in subgraph["inputs"]:
        for number in one["linkIds"] if one["name"] in outside else []:
            target = inside[links[number]["target_id"]]
            assert outside[one["name"]] in target["widgets_values"], (one["name"], target["type"])


def test_a_blueprint_is_one_recipe_that_brings_its_files_along() -> None:
    """No file is named inside, so that another recipe is not said to lack the first one's."""
    for name in (one for one in NAMES if one != BY_WORD):
        (subgraph,) = written(name)["definitions"]["subgraphs"]
        (models,) = (node for node in subgraph["nodes"] if node["type"].startswith("ReelpatchLoad"))
        assert set(models["widgets_values"][1:]) == {"recipe"}
        assert "models" not in models["properties"]


def test_it_is_part_of_what_is_installed() -> None:
    ignored = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    assert not {"subgraphs", "subgraphs/", "*.json", "workflows/", "workflows"} & set(ignored)
