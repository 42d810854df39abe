"""ComfyUI's real front end in a real browser: what a user sees on opening a template and pressing Run.

`chromium.py` says what it needs.
"""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.host.chromium import MODES, Told
from tests.host.server import Server
from tests.host.visits import APPS, Visits
from workflows.apps import MOST_ASKED
from workflows.blueprints import blueprints
from workflows.describe import app_path, in_chinese, order, paths
from workflows.graph import Stage, build
from workflows.subgraph import Subgraph
from workflows.templates import WORKFLOWS, Workflow

pytestmark = pytest.mark.host
# What is drawn a little smaller: an editor as large as its clip, and graphs of five columns.
WIDEST = {
    workflow.name
    for workflow in WORKFLOWS
    if '"ReelpatchMaskTrack"' in (text := paths(workflow)[0].read_text(encoding="utf-8"))
    or len(json.loads(text)["groups"]) == 4
}
# Smaller ones the front end draws as bars, by its own setting of 8 for a font of 14.
SMALLEST_TITLE_PX, USUAL_TITLE_PX = 8, 9.5
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module", params=MODES)
def told(request: pytest.FixtureRequest, visits: Visits) -> Told:
    """What a visit found of that which depends on how nodes are drawn, in one way."""
    return Told(visits.part("graphs", request.param), modern=MODES[request.param])


@pytest.fixture(scope="module")
def pages(visits: Visits) -> Told:
    """What a visit found of that which does not depend on how nodes are drawn: in the way that draws sooner."""
    return visits.part("pages")


@pytest.fixture(scope="module")
def door(visits: Visits) -> Told:
    """What a visit found of what a person meets first: the demo by its button, and an app in Chinese."""
    return visits.part("frontDoor")


@pytest.fixture(params=WORKFLOWS, ids=lambda workflow: workflow.name)
def workflow(request: pytest.FixtureRequest) -> Workflow:
    return request.param


def test_it_loads_without_a_missing_node_or_an_error(told: Told, workflow: Workflow) -> None:
    loaded = told["templates"][workflow.name]
    written = json.loads(paths(workflow)[0].read_text(encoding="utf-8"))
    assert loaded["types"] == [node["type"] for node in written["nodes"]]
    assert loaded["missing"] == []
    assert loaded["modern"] == told["modern"]
    assert loaded["drawn"] == (len(written["nodes"]) if told["modern"] else 0)
    assert ours(loaded["complaints"]) == []


def test_it_is_queued_as_the_api_file_says(told: Told, workflow: Workflow, server: Server) -> None:
    queued = told["templates"][workflow.name]["prompt"]
    for node in queued.values():
        # A widget that shows the chosen video is part of the page; the server has no such input.
        node["inputs"].pop("video-preview", None)
        # Front ends add keys of their own, as 1.58 does with cnr_id and ver.
        node["_meta"] = {"title": node["_meta"]["title"]}
    assert queued == json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    known = server.ask("/object_info/LoadVideo")["LoadVideo"]["input"]
    assert "video-preview" not in {**known["required"], **known.get("optional", {})}


def test_its_nodes_do_not_lie_on_each_other(told: Told, workflow: Workflow) -> None:
    boxes = told["templates"][workflow.name]["boxes"]
    assert all(left < right and top < bottom for _, left, top, right, bottom in boxes), boxes
    assert overlapping(boxes) == []


def test_it_has_a_thumbnail(told: Told, workflow: Workflow) -> None:
    assert told["templates"][workflow.name]["thumbnail"] == {"status": 200, "type": "image/jpeg"}


def test_run_makes_the_demo_clip(told: Told, server: Server) -> None:
    run = told["run"]
    assert run["ended"]["kind"] == "execution_success", run
    assert ours(run["complaints"]) == []
    assert overlapping(run["boxes"]) == []
    outputs = server.ask(f"/history/{run['ended']['detail']['prompt_id']}")
    ((history),) = outputs.values()
    every = [file for output in history["outputs"].values() for file in output.get("images", [])]
    (saved,) = (file for file in every if file["subfolder"] == "video")
    made = (server.base / "output" / saved["subfolder"] / saved["filename"]).read_bytes()
    assert made[4:8] == b"ftyp"


def test_compare_plays_both_clips_in_step(told: Told) -> None:
    states = told["comparison"]["states"]
    assert ours(told["comparison"]["complaints"]) == []
    loaded, paused = states["loaded"], states["paused"]
    assert loaded["frames"] == 9
    assert loaded["isMuted"]
    steps = [frame - paused["frame"] for frame in states["steps"]]
    assert steps == ([-1, 0] if paused["frame"] else [1, 0])
    # Keys, mouse and finger move the line and nothing else: neither the node nor the graph.
    assert states["arrow"]["share"] == pytest.approx(states["first"]["share"] + 0.02)
    assert states["dragged"]["share"] == pytest.approx(0.25, abs=0.02)
    assert states["swiped"]["share"] == pytest.approx(0.75, abs=0.02)
    assert states["side"]["mode"] == "side"
    assert states["difference"]["mode"] == "difference"
    assert (states["last"]["mode"], states["last"]["isMuted"]) == ("wipe", False)
    places = {
        tuple(states[name]["place"]) for name in ("paused", "arrow", "dragged", "swiped", "side", "last")
    }
    assert len(places) == 1


def test_compare_shows_what_it_says(told: Told) -> None:
    """Left of the line is before, right of it is after, at the same frame; the difference is theirs, four times."""
    wipe, side, difference = (
        picture(told["comparison"]["seen"][name]) for name in ("wipe", "side", "difference")
    )
    height, width = wipe.shape[:2]
    assert side.shape == (height, 2 * width + 4, 3)
    before, after = side[:, :width], side[:, -width:]
    line = round(told["comparison"]["states"]["swiped"]["share"] * width)
    clear = 6  # around the line and its handle
    assert np.array_equal(wipe[:, : line - clear], before[:, : line - clear])
    assert np.array_equal(wipe[:, line + clear :], after[:, line + clear :])
    assert np.abs(before - after).max() > 30  # the demo's edit is seen
    assert np.abs(difference - np.minimum(4 * np.abs(before - after), 255)).max() <= 4


def test_compare_begins_with_what_changed_on_both_sides(told: Told) -> None:
    """Some tenths: the player looks at a picture that the browser's decoder and scaler made."""
    seen, states = told["comparison"]["seen"], told["comparison"]["states"]
    side = picture(seen["side"])
    width = (side.shape[1] - 4) // 2
    columns = (np.abs(side[:, :width] - side[:, -width:]).sum(-1) ** 2).sum(0)
    line = round(states["first"]["share"] * width)
    assert 0.3 <= columns[:line].sum() / columns.sum() <= 0.7
    half = columns[: width // 2].sum() / columns.sum()
    assert not 0.3 <= half <= 0.7  # the middle of this clip would show it on one side


def test_figures_stand_on_their_nodes(told: Told) -> None:
    assert told["figures"]["ended"] == "execution_success"
    plan, measures = sorted(told["figures"]["texts"], key=lambda text: "tokens" not in text)
    for words in ("tokens: 29,640 =", "this machine", "Counted:", "Estimated:"):
        assert words in plan
    assert "0 values of 8 bits differ" in measures  # the clip measured against itself


@pytest.mark.parametrize("subgraph", blueprints(), ids=lambda one: one.name)
def test_a_blueprint_is_queued_as_it_is_described(pages: Told, subgraph: Subgraph) -> None:
    _, queued = build([Stage("", "", [subgraph.node()])])
    whole = pages["queued"][subgraph.name]["whole"]
    for node in whole.values():
        node["_meta"] = {"title": node["_meta"]["title"]}  # as above
    assert whole == queued


@pytest.mark.parametrize("subgraph", blueprints(), ids=lambda one: one.name)
def test_a_blueprint_that_is_unpacked_is_the_same_graph(pages: Told, subgraph: Subgraph) -> None:
    form = pages["queued"][subgraph.name]
    assert by_title(form["apart"]) == by_title(form["whole"])


def by_title(prompt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The inputs of every node by its title, links by the titles of where they come from; numbers go with the graph."""
    titles = {key: node["_meta"]["title"] for key, node in prompt.items()}
    assert len(set(titles.values())) == len(titles)
    return {
        titles[key]: {
            name: [titles[value[0]], value[1]] if isinstance(value, list) else value
            for name, value in node["inputs"].items()
        }
        for key, node in prompt.items()
    }


def test_a_blueprint_is_found_placed_run_and_unpacked(told: Told, server: Server) -> None:
    used = told["used"]
    edit = next(one for one in blueprints() if one.name == used["title"])
    assert used["widgets"] == ["instruction", "recipe", "strength", "seed"]
    assert used["ended"]["kind"] == "execution_success", used
    # On unpacking, the front end complains of every input that nothing is connected to.
    complaints = [one for one in ours(used["complaints"]) if "when unpacking" not in one["text"]]
    assert complaints == []
    ((history),) = server.ask(f"/history/{used['ended']['detail']['prompt_id']}").values()
    recipes = [one["inputs"]["recipe"] for one in history["prompt"][2].values() if "recipe" in one["inputs"]]
    assert recipes == ["demo", "demo"]
    left = used["unpacked"]
    assert sorted(left["types"]) == sorted(["LoadVideo", *(node.type for node in edit.nodes)])
    (work,) = (one["inputs"] for one in left["prompt"].values() if one["class_type"] == edit.nodes[-1].type)
    linked = {name for name, value in work.items() if isinstance(value, list)}
    assert linked == set(edit.nodes[-1].links) - {"mask", "references", "edited_frame", "seed"}
    kinds = {left["prompt"][work[name][0]]["class_type"] for name in ("window_frames", "sampler", "strength")}
    assert kinds == {"ReelpatchRecipe"}


def test_a_template_is_opened_large_enough_to_read(told: Told, workflow: Workflow) -> None:
    """On 1440x900, as the Templates dialog opens it, with the front end's own settings."""
    look = told["templates"][workflow.name]["look"]
    assert not look["isCoarse"]
    assert look["title"] >= (SMALLEST_TITLE_PX if workflow.name in WIDEST else USUAL_TITLE_PX), look
    width, height = 1440, 900
    for title, left, top, *_ in look["boxes"]:
        assert -20 <= left < width, (title, left)
        assert -20 <= top < height, (title, top)


@pytest.mark.parametrize("workflow", APPS, ids=lambda workflow: workflow.name)
def test_an_app_asks_for_a_few_things_with_a_line_each(pages: Told, workflow: Workflow) -> None:
    asked = pages["apps"][app_path(workflow).stem]
    ui = json.loads(app_path(workflow).read_text(encoding="utf-8"))
    inputs = ui["extra"]["linearData"]["inputs"]
    assert asked["labels"] == [widget for _, widget, _ in inputs]
    assert asked["lines"] == [shown["description"] for *_, shown in inputs]
    assert len(inputs) <= MOST_ASKED


def test_an_app_is_run_and_shows_the_result(pages: Told, server: Server) -> None:
    run = pages["appRun"]
    assert run["ended"]["kind"] == "execution_success", run
    (history,) = server.ask(f"/history/{run['ended']['detail']['prompt_id']}").values()
    outputs = history["outputs"].values()
    saved = [file["filename"] for output in outputs for file in output.get("images", [])]
    compared = [file["filename"] for output in outputs for file in output.get("reelpatch_compare", [])]
    assert saved
    assert compared
    # The app shows what came last: ComfyUI runs a graph's ends in an order of its own.
    (shown,) = run["shown"]
    assert any(name in shown for name in saved + compared), shown


def test_the_demo_is_two_clicks_behind_its_pack(pages: Told) -> None:
    """In the Templates dialog: this pack, then the template, then Run, and there is a result."""
    dialog = pages["dialog"]
    assert dialog["clicks"] == ["this pack", "template", "Run"]
    assert dialog["ended"]["kind"] == "execution_success", dialog["ended"]


def test_templates_stand_in_the_order_that_is_stated(pages: Told) -> None:
    """An app behind its template; the dialog shows the first ones, and more as it is scrolled."""
    shown = pages["dialog"]["shown"]
    assert len(shown) >= 12
    assert shown == order()[: len(shown)]


def test_a_template_is_chinese_where_the_page_is(pages: Told) -> None:
    """Every title, those inside the subgraph too, and the note."""
    chinese = pages["chinese"]
    assert all(CHINESE.search(title) for title in (*chinese["nodes"], *chinese["groups"])), chinese
    ui = json.loads(paths(WORKFLOWS[0])[0].read_text(encoding="utf-8"))
    count = len(ui["nodes"]) + sum(len(one["nodes"]) for one in ui["definitions"]["subgraphs"])
    assert len(chinese["nodes"]) == count
    assert chinese["note"] == in_chinese([ui])["notes"][ui["id"]][1]


def test_a_workflow_of_this_pack_is_queued_with_live_previews(told: Told, server: Server) -> None:
    """Where the host's own setting leaves them to the server, whose usual way is none."""
    (history,) = server.ask(f"/history/{told['run']['ended']['detail']['prompt_id']}").values()
    assert history["prompt"][3]["preview_method"] == "auto"


def test_what_a_recipe_replaces_is_gray(pages: Told) -> None:
    settings = ["cfg", "steps", "skip_blocks", "skip_start", "skip_end"]
    assert pages["gray"] == [[], settings, []]


def test_the_demo_is_two_clicks_away(door: Told, server: Server) -> None:
    demo = door["demo"]
    assert demo["clicks"] == ["Reelpatch demo", "Run"]
    assert demo["ended"]["kind"] == "execution_success", demo
    assert demo["commands"] == ["Reelpatch.OpenDemo"]
    (history,) = server.ask(f"/history/{demo['ended']['detail']['prompt_id']}").values()
    template = json.loads(paths(WORKFLOWS[0])[1].read_text(encoding="utf-8"))
    queued = history["prompt"][2]
    assert {key: one["class_type"] for key, one in queued.items()} == {
        key: one["class_type"] for key, one in template.items()
    }


def test_its_button_is_put_away_by_a_setting(door: Told, pages: Told) -> None:
    assert door["buttons"] == ["Reelpatch demo"]
    assert pages["buttons"] == []


def test_an_app_is_chinese_where_the_page_is(door: Told) -> None:
    """Every name, and every line under one."""
    app = json.loads(app_path(WORKFLOWS[0]).read_text(encoding="utf-8"))
    words, asked = in_chinese([app]), app["extra"]["linearData"]["inputs"]
    assert door["chinese"]["lines"] == [words["lines"][shown["description"]] for *_, shown in asked]
    own = [words["slots"][widget] for _, widget, _ in asked[1:]]
    assert door["chinese"]["labels"] == ["文件", *own]  # the first is Load Video's, which the host names


def picture(address: str) -> NDArray[np.int64]:
    """[H, W, 3] of a PNG in its address"""
    with Image.open(BytesIO(base64.b64decode(address.partition(",")[2]))) as shown:
        return np.array(shown.convert("RGB"), np.int64)


def ours(complaints: list[dict[str, str]]) -> list[dict[str, str]]:
    """The console's errors without those of asking the internet about model files, which the server forbids."""
    return [one for one in complaints if "missingModelMetadata" not in one["url"]]


def overlapping(boxes: list[list[Any]]) -> list[tuple[str, str]]:
    """Titles of nodes that cover each other."""
    return [
        (one[0], other[0])
        for one, other in combinations(boxes, 2)
        if max(one[1], other[1]) < min(one[3], other[3]) and max(one[2], other[2]) < min(one[4], other[4])
    ]
