"""The editor of the node Mask track in a real browser, in both ways of drawing nodes: drawn, undone, saved, opened again, run."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.mask_track.text import read_track
from tests.host.chromium import MODES, Told
from tests.host.server import Server
from tests.host.visits import Visits

pytestmark = pytest.mark.host
CLIP = {"width": 64, "height": 64, "frames": 9, "fps": "8/1"}
# A mouse points at whole pixels of the page, and a pixel of the demo's clip is some six of them.
POINTED = 0.01


@pytest.fixture(scope="module", params=MODES)
def editor(request: pytest.FixtureRequest, visits: Visits) -> Told:
    """What a visit found of the editor, in one way of drawing nodes."""
    return visits.part("maskTrack", request.param)


def region(text: str) -> dict[str, Any]:
    """The only region of a track."""
    (found,) = json.loads(text)["regions"]
    return found


def overlays(editor: Told) -> NDArray[np.int64]:
    """What lay over each frame on the page, [F, H, W] of 0 to 255."""
    return np.stack(
        [np.array(one["values"]).reshape(one["height"], one["width"]) for one in editor["overlays"]]
    )


def saved(editor: Told, server: Server) -> list[Path]:
    """The pictures of the masks that the graph used."""
    (history,) = server.ask(f"/history/{editor['run']['detail']['prompt_id']}").values()
    every = [file for output in history["outputs"].values() for file in output.get("images", [])]
    return [server.base / "output" / one["filename"] for one in every if one["filename"].startswith("track")]


def test_the_chosen_video_is_shown_before_any_run(editor: Told) -> None:
    assert editor["drawn"]["fresh"]["clip"] == CLIP
    assert editor["drawn"]["fresh"]["said"] == {"film": "", "masks": "", "linked": ""}
    assert editor["drawn"]["complaints"] == []


def test_a_box_is_drawn_moved_and_given_a_ramp(editor: Told) -> None:
    texts = editor["drawn"]["texts"]
    assert json.loads(texts["empty"])["regions"] == []
    shape = {"kind": "box", "centre": [0.3, 0.325], "size": [0.4, 0.35]}
    box = region(texts["box"])
    assert set(box) == {"shape"}
    assert box["shape"]["centre"] == pytest.approx(shape["centre"], abs=POINTED)
    assert box["shape"]["size"] == pytest.approx(shape["size"], abs=POINTED)
    first, second = region(texts["keyframes"])["keyframes"]
    assert (first["at"], second["at"]) == (0, 0.5)
    assert first["position"] == box["shape"]["centre"]
    assert second["position"] == pytest.approx([0.6, 0.525], abs=POINTED)
    assert region(texts["ramp"])["envelope"] == {"start": 0, "ramp_in": {"kind": "linear", "length": 0.5}}


def test_undo_and_redo_are_the_editors_own(editor: Told) -> None:
    """ComfyUI, which undoes whole graphs on the same keys, leaves the node alone."""
    texts = editor["drawn"]["texts"]
    assert texts["undone"] == texts["keyframes"]
    assert texts["redone"] == texts["ramp"]
    assert editor["drawn"]["isSame"]


def test_it_is_there_again_after_saving_and_opening_the_page(editor: Told) -> None:
    assert editor["reloaded"]["text"] == editor["drawn"]["texts"]["ramp"]
    assert editor["reloaded"]["clip"] == CLIP
    assert editor["copies"]["pasted"] == editor["drawn"]["texts"]["ramp"]


def test_it_is_drawn_on_after_the_page_has_undone_something(editor: Told) -> None:
    """The node is another one then, under the same number."""
    texts = editor["undone"]
    assert texts["before"] == texts["after"] == editor["drawn"]["texts"]["ramp"]
    _, box = json.loads(texts["text"])["regions"]
    assert box["shape"]["centre"] == pytest.approx([0.2, 0.8], abs=POINTED)


def test_a_subgraph_finds_the_video_outside_of_it(editor: Told) -> None:
    inside = editor["copies"]["inside"]
    assert (inside["text"], inside["clip"]) == (editor["drawn"]["texts"]["ramp"], CLIP)


def test_the_overlay_is_the_engines_mask(editor: Told) -> None:
    """Half a level apart, which is rounding to bytes."""
    track = read_track(editor["drawn"]["texts"]["ramp"])
    real = TrackRenderer(track, (64, 64), Moments(9, Fraction(8))).part(0, 9).numpy()
    assert np.abs(overlays(editor) - real * 255).max() <= 0.5 + 1e-4
    assert [frame.max() > 0 for frame in real] == [False] + [True] * 8


def test_the_mask_that_was_used_is_the_overlay(editor: Told, server: Server) -> None:
    """One level of 255 apart at most: the overlay rounds to bytes, and Save Image cuts off."""
    assert editor["run"]["kind"] == "execution_success", editor["run"]
    used = [np.asarray(Image.open(path).convert("L"), np.int64) for path in saved(editor, server)]
    assert np.abs(np.stack(used) - overlays(editor)).max() <= 1


def test_the_text_is_in_the_prompt_and_in_what_was_saved(editor: Told, server: Server) -> None:
    (history,) = server.ask(f"/history/{editor['run']['detail']['prompt_id']}").values()
    (node,) = [one for one in history["prompt"][2].values() if one["class_type"] == "ReelpatchMaskTrack"]
    assert node["inputs"]["track"] == editor["drawn"]["texts"]["ramp"]
    picture = Image.open(saved(editor, server)[0])
    (drawn,) = [
        one for one in json.loads(picture.info["workflow"])["nodes"] if one["type"] == "ReelpatchMaskTrack"
    ]
    assert drawn["widgets_values"][0] == editor["drawn"]["texts"]["ramp"]


def test_keys_alone_do_all_of_it(editor: Told) -> None:
    texts = editor["tools"]["keys"]
    drawn = {"kind": "ellipse", "centre": [0.5, 0.5], "size": [0.3, 0.3]}
    assert region(texts["ellipse"]) == {"shape": drawn}
    moved = {"kind": "ellipse", "centre": [0.51, 0.55], "size": [0.315, 0.315]}
    assert region(texts["moved"]) == {"shape": moved}
    assert region(texts["turned"])["keyframes"] == [{"at": 0, "rotation": 10}]
    assert region(texts["spanned"])["envelope"] == {"start": 0.25, "end": 0.75}
    assert region(texts["later"])["envelope"] == {"start": 0.375, "end": 0.75}
    assert region(texts["keyLater"])["keyframes"] == [{"at": 0.25, "rotation": 10}]
    assert "keyframes" not in region(texts["keyGone"])
    assert region(texts["subtracts"])["mode"] == "subtract"
    one, other = json.loads(texts["pasted"])["regions"]
    assert other == {**one, "shape": {**moved, "centre": [0.54, 0.58]}}
    assert texts["removed"] == texts["undone"] == texts["subtracts"]


def test_every_tool_draws(editor: Told) -> None:
    polygon, stroke, whole, ellipse = json.loads(editor["tools"]["mouse"]["text"])["regions"]
    corners = np.array([[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.2, 0.5]])
    assert polygon["shape"]["points"] == pytest.approx(corners, abs=POINTED)
    line = np.array(stroke["shape"]["points"])
    assert line[[0, -1]] == pytest.approx(np.array([[0.1, 0.8], [0.9, 0.7]]), abs=POINTED)
    assert line[:, 1] == pytest.approx(0.8 - (line[:, 0] - 0.1) / 8, abs=POINTED)
    wipe = {"kind": "wipe", "length": 0.5, "direction": 90}
    assert whole == {"shape": {"kind": "whole"}, "envelope": {"start": 0, "ramp_in": wipe}}
    assert ellipse["shape"]["centre"] == pytest.approx([0.7, 0.7], abs=POINTED)
    assert ellipse["shape"]["size"] == pytest.approx([0.4, 0.4], abs=POINTED)
    (key,) = json.loads(editor["tools"]["mouse"]["turned"])["regions"][-1]["keyframes"]
    assert key["rotation"] == pytest.approx(90, abs=2)  # some pixels of the page, at the end of a short arm


def test_points_are_moved_added_and_taken_away_one_by_one(editor: Told) -> None:
    """Keyframes move, stretch and turn the polygon: every other point stays where it was seen, at both of them."""
    found = {
        name: {end: np.array(seen[end]) / 64 for end in ("first", "last")}
        for name, seen in editor["tools"]["points"].items()
        if name != "after"
    }
    same = {"abs": 1e-4}  # the text has five digits
    before, dragged, nudged = found["before"], found["dragged"], found["nudged"]
    others = [0, 1, 3]
    for now in (dragged, nudged):
        for end in ("first", "last"):
            assert now[end][others] == pytest.approx(before[end][others], **same), end
    assert dragged["first"][2] == pytest.approx([0.5, 0.55], abs=POINTED)
    assert nudged["first"][2] == pytest.approx(dragged["first"][2] + [0.01, 0], **same)
    assert np.abs(dragged["last"][2] - before["last"][2]).max() > 0.05
    added, removed, twice = found["added"]["first"], found["removed"]["first"], found["twice"]["first"]
    assert added == pytest.approx(np.insert(nudged["first"], 3, nudged["first"][2:4].mean(0), axis=0), **same)
    assert removed == pytest.approx(nudged["first"], **same)
    assert twice == pytest.approx(nudged["first"][1:], **same)
    assert found["fewest"]["first"] == pytest.approx(twice, **same)  # a polygon keeps three
    assert (editor["tools"]["points"]["after"]["tool"], editor["tools"]["points"]["after"]["selected"]) == (
        "select",
        0,
    )


def test_the_picture_is_looked_at_closely(editor: Told) -> None:
    close = editor["tools"]["closely"]
    assert close["byKeys"] == pytest.approx(2.25)
    assert close["byWheel"] == pytest.approx(2.25 * 1.0015**200)
    assert close["whole"] == 1
    box = region(close["text"])["shape"]
    assert box["centre"] == pytest.approx([0.65, 0.55], abs=POINTED)
    assert box["size"] == pytest.approx([0.1, 0.1], abs=POINTED)


def test_what_is_done_to_all_regions_has_fields(editor: Told) -> None:
    found = editor["tools"]["ofAll"]
    track = json.loads(found["text"])
    assert (track["smooth_frames"], track["grow"], track["feather"]) == (2, -0.05, 0.1)
    assert "feather of 32000 pixels" in found["tooFar"]
    assert "feather" not in json.loads(found["without"])


def test_connected_masks_are_shown_as_the_last_run_had_them(editor: Told) -> None:
    found = editor["tools"]["connected"]
    assert "drawn when the graph runs" in found["before"]
    assert "as the last run had them" in found["after"]
    assert found["values"] == [191]  # .75 of 255, rounded


def test_the_text_can_be_written_by_hand(editor: Told) -> None:
    text = editor["tools"]["text"]
    assert "'star' at regions[0].shape.kind" in text["message"]
    assert json.loads(text["right"]["text"])["units"] == "pixels"
    assert text["after"] == text["before"]


def test_it_plays(editor: Told) -> None:
    played = editor["tools"]["played"]
    assert played["stepped"] == max(0, played["stopped"] - 1)


def test_screen_readers_are_told_of_every_control_in_both_languages(editor: Told) -> None:
    unnamed, words = editor["tools"]["unnamed"], editor["tools"]["words"]
    assert unnamed["count"] > 20
    assert (unnamed["nameless"], unnamed["valueless"]) == (0, 0)
    assert words["english"] == words["chinese"]
    assert words["same"] == []


def test_frames_of_no_file_are_shown_after_a_run(editor: Told) -> None:
    before, after = (editor["tools"]["fromRun"][name] for name in ("before", "after"))
    assert "run the graph" in before["said"]["film"]
    assert after["clip"] == {**CLIP, "fps": "8"}
    assert after["said"]["film"] == ""


def test_it_is_drawn_in_an_app(editor: Told) -> None:
    app = editor["tools"]["app"]
    assert app["box"]["width"] > 200
    *_, box = json.loads(app["text"])["regions"]
    assert box["shape"]["centre"] == pytest.approx(
        [0.4, 0.4], abs=2 * POINTED
    )  # the picture is half as large there
    assert app["queued"] == app["text"]
