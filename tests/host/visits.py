"""Visits of a browser that the tests of several files share: one for each way of drawing nodes, of the parts that are read."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.host.chromium import MODES, Told, driven
from tests.host.server import Server
from workflows.describe import app_path
from workflows.templates import WORKFLOWS

APPS = [workflow for workflow in WORKFLOWS if workflow.is_app]
DEMO = WORKFLOWS[0].name
BLUEPRINT = {
    "words": "edit video by inst",
    "video": "reelpatch_demo_clip.mp4",
    "widgets": {"instruction": "make the red circle blue", "recipe": "demo"},
}


@dataclass(frozen=True)
class Part:
    """A part of a visit: the fixture that reads it, what `browser/drive.cjs` gives to it, and the one way of drawing in which
    it is visited; where that is both, it is the fixture's parameter."""

    reader: str
    given: dict[str, Any]
    mode: str = ""

    def is_read(self, item: pytest.Item, mode: str) -> bool:
        """Whether a test reads this part of the visit in a way of drawing."""
        if not {"visits", self.reader} <= set(getattr(item, "fixturenames", ())):
            return False
        return mode == (self.mode or item.callspec.params[self.reader])  # type: ignore[attr-defined]


PARTS = {
    "maskTrack": Part("editor", {"template": DEMO}),
    "graphs": Part(
        "told", {"templates": [one.name for one in WORKFLOWS], "run": DEMO, "blueprint": BLUEPRINT}
    ),
    "pages": Part("pages", {"run": DEMO, "apps": [app_path(one).stem for one in APPS]}, mode="classic"),
    "frontDoor": Part("door", {"app": app_path(WORKFLOWS[0]).stem}, mode="nodes 2.0"),
}


class Visits:
    """Visits of a server, each made as its first part is asked for, with all parts that chosen tests read."""

    def __init__(
        self, server: Server, chosen: Sequence[pytest.Item], folders: pytest.TempPathFactory
    ) -> None:
        self.server, self.chosen, self.folders = server, chosen, folders
        self._made = cache(self._visited)

    def part(self, name: str, mode: str = "") -> Told:
        """What a visit found in one part; `mode` is for those that are visited in both ways of drawing."""
        return self._made(mode or PARTS[name].mode)[name]

    def _visited(self, mode: str) -> Told:
        """One visit; its pictures are in pytest's folder."""
        read = [name for name, part in PARTS.items() if any(part.is_read(item, mode) for item in self.chosen)]
        job = {
            "url": self.server.url,
            "modern": MODES[mode],
            # What a person puts away is gone when the page is opened, which "pages" finds.
            "settings": {"Reelpatch.DemoButton": mode != PARTS["pages"].mode},
            "parts": {name: PARTS[name].given for name in read},
        }
        try:
            return driven(job, self.folders.mktemp(mode.replace(" ", "_")))
        except (AssertionError, subprocess.TimeoutExpired) as error:  # once, and not for each that reads it
            return Told({name: Told(failed=f"the visit: {error}") for name in read})
