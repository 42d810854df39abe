"""The nodes in a real ComfyUI on the CPU: each file in `inside` is one process that runs many checks."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.host import comfy

pytestmark = pytest.mark.host
INSIDE = Path(__file__).parent / "inside"
SUITES = (
    *("parity", "composition", "nodes_alone", "lora_by_step", "bad_input", "front", "scaled", "stubs"),
    *("vace_tasks", "memory"),
    *("enhancing", "long_clips", "long_enhance", "dynamic"),
    *("looks", "recipe_models"),
)
Run = Callable[[str], dict[str, Any]]


def checks(suite: str) -> list[str]:
    """The names of the checks in a file, read from its source."""
    tree = ast.parse((INSIDE / f"{suite}.py").read_text(encoding="utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Run:
    """The results of a file's checks; the process runs once."""

    @cache
    def results(suite: str) -> dict[str, Any]:
        path = tmp_path_factory.mktemp(suite) / "results.json"
        comfy.run(INSIDE / "run.py", path, models_folder, suite, "--cpu")
        return json.loads(path.read_text(encoding="utf-8"))

    return results


@pytest.mark.parametrize(("suite", "check"), [(suite, check) for suite in SUITES for check in checks(suite)])
def test_inside_comfyui(run: Run, suite: str, check: str) -> None:
    result = run(suite)[check]
    assert result["passed"], result["value"]
