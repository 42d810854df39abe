"""The nodes in a real ComfyUI on the CPU: ComfyUI starts once, and each file in `inside` is one fork of it with many checks."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.host import (
    adapter_reference,
    comfy,
    demo_reference,
    first_frame_reference,
    half_size_reference,
    hunyuan_reference,
    picture_reference,
    segments_reference,
    sharing_reference,
)

pytestmark = pytest.mark.host
INSIDE = Path(__file__).parent / "inside"
SUITES = (
    *("parity", "composition", "previews", "nodes_alone", "lora_by_step", "bad_input", "bad_names"),
    *("front", "scaled", "stubs"),
    *("vace_tasks", "memory", "declared", "wrong_json"),
    *("enhancing", "long_clips", "results", "edited_frames", "long_enhance", "dynamic"),
    *("looks", "segments", "toys", "recipe_models", "sharing"),
    *("converting", "found", "pictures", "mask_tracks", "track_routes", "rewriting"),
    *("adapters", "canvases", "channels", "half_size", "references_alone", "demo_files"),
)


def checks(suite: str) -> list[str]:
    """The names of the checks in a file, read from its source."""
    tree = ast.parse((INSIDE / f"{suite}.py").read_text(encoding="utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
    ]


@pytest.fixture(scope="module")
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_folder: Path
) -> Path:
    """The folder with the results of all files of which tests were chosen."""
    comfy.python()  # skips where there is none, before any reference is made
    folder = tmp_path_factory.mktemp("inside")
    chosen = {item.callspec.params["suite"] for item in request.session.items if item.path == request.path}
    names = ",".join(suite for suite in SUITES if suite in chosen)
    if "pictures" in chosen:
        picture_reference.write(folder)
    if "adapters" in chosen:
        adapter_reference.write(folder)
    if "channels" in chosen:
        hunyuan_reference.write(folder)
    if "references_alone" in chosen:
        segments_reference.write(folder)
    if "sharing" in chosen:
        sharing_reference.write(folder)
    if "demo_files" in chosen:
        demo_reference.write(folder)
    if "edited_frames" in chosen:
        first_frame_reference.write(folder)
    if "half_size" in chosen:
        half_size_reference.write(folder)
    comfy.run(INSIDE / "run.py", folder, models_folder, names, "--cpu")
    return folder


def results(folder: Path, suite: str) -> dict[str, Any]:
    """What came out of the checks in a file."""
    path, log = folder / f"{suite}.json", folder / f"{suite}.log"
    assert path.is_file(), log.read_text(encoding="utf-8", errors="replace")[-3000:]
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("suite", "check"), [(suite, check) for suite in SUITES for check in checks(suite)])
def test_inside_comfyui(ran: Path, suite: str, check: str) -> None:
    result = results(ran, suite)[check]
    assert result["passed"], result["value"]
