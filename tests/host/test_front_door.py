"""What a person meets first in ComfyUI's real front end: the demo by its button, and apps in Chinese.

`chromium.py` says what it needs.
"""

from __future__ import annotations

import json

import pytest

from tests.host.chromium import Told, driven
from tests.host.server import Server
from workflows.describe import app_path, in_chinese, paths
from workflows.templates import WORKFLOWS

pytestmark = pytest.mark.host
DEMO = WORKFLOWS[0]


@pytest.fixture(scope="module")
def told(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What one visit found. Its pictures are in pytest's folder."""
    job = {"url": server.url, "modern": True, "app": app_path(DEMO).stem}
    return driven("front_door.cjs", job, tmp_path_factory.mktemp("front_door"))


def test_the_demo_is_two_clicks_away(told: Told, server: Server) -> None:
    demo = told["demo"]
    assert demo["clicks"] == ["Reelpatch demo", "Run"]
    assert demo["ended"]["kind"] == "execution_success", demo
    assert demo["commands"] == ["Reelpatch.OpenDemo"]
    (history,) = server.ask(f"/history/{demo['ended']['detail']['prompt_id']}").values()
    template = json.loads(paths(DEMO)[1].read_text(encoding="utf-8"))
    queued = history["prompt"][2]
    assert {key: one["class_type"] for key, one in queued.items()} == {
        key: one["class_type"] for key, one in template.items()
    }


def test_its_button_is_put_away_by_a_setting(told: Told) -> None:
    assert told["withButton"] == ["Reelpatch demo"]
    assert told["withoutButton"] == []


def test_an_app_is_chinese_where_the_page_is(told: Told) -> None:
    """Every name, and every line under one."""
    app = json.loads(app_path(DEMO).read_text(encoding="utf-8"))
    words, asked = in_chinese([app]), app["extra"]["linearData"]["inputs"]
    assert told["chinese"]["lines"] == [words["lines"][shown["description"]] for *_, shown in asked]
    own = [words["slots"][widget] for _, widget, _ in asked[1:]]
    assert told["chinese"]["labels"] == ["文件", *own]  # the first is Load Video's, which the host names
