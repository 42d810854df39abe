"""The browser that the tests of the front end drive, and how it is driven.

Needs Chromium and playwright-core: `npm install --prefix ~/browser playwright-core`, or a folder that holds it in
`$NODE_PATH`; `$CHROMIUM` names another Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODES = {"classic": False, "nodes 2.0": True}  # ways of drawing nodes: whether it is the modern one
DRIVER = Path(__file__).parent / "browser" / "drive.cjs"


class Told(dict[str, Any]):
    """What a visit found, by section; to ask for a section that failed fails the test, with what the section waited for."""

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, Told) and found.keys() == {"failed"}:
            pytest.fail(dict.__getitem__(found, "failed"), pytrace=False)
        return found


def needed() -> tuple[str, str, str]:
    """Node, Chromium and the folder of playwright-core."""
    node = shutil.which("node")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    folder = os.environ.get("NODE_PATH") or str(Path.home() / "browser" / "node_modules")
    if node is None or chromium is None:
        pytest.skip("no node or no chromium in PATH: install both to run the browser tests")
    if not (Path(folder) / "playwright-core").is_dir():
        pytest.skip(f"no playwright-core in {folder}: npm install --prefix ~/browser playwright-core")
    return node, chromium, folder


def driven(job: dict[str, Any], folder: Path) -> Told:
    """What `drive.cjs` found on a visit, by part; `folder` keeps its profile, its pictures, its job and its result."""
    node, chromium, packages = needed()
    more = {"chromium": chromium, "profile": str(folder / "profile"), "pictures": str(folder)}
    (folder / "job.json").write_text(json.dumps({**job, **more, "result": str(folder / "result.json")}))
    done = subprocess.run(
        [node, str(DRIVER), str(folder / "job.json")],
        env={**os.environ, "NODE_PATH": packages},
        capture_output=True,
        text=True,
        timeout=3600,  # two minutes of work; long, for machines that are busy with other things
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "result.json").read_text(), object_hook=Told)
