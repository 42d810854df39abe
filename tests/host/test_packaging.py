"""Installing the pack into a ComfyUI environment changes nothing that is installed there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import tomllib

from tests.host import comfy

pytestmark = pytest.mark.host
ROOT = Path(__file__).parents[2]


def would_install(requirements: Path) -> list[str] | None:
    """What pip would put into ComfyUI's environment; None when it finds no way.

    Without an index there is nothing to choose from but what is installed, so that [] means that all of it serves.
    """
    asked = [
        "install",
        "--dry-run",
        "--no-index",
        "--quiet",
        "--report",
        "-",
        "--requirement",
        str(requirements),
    ]
    done = subprocess.run(
        [comfy.python(), "-m", "pip", "--disable-pip-version-check", *asked],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if "No module named pip" in done.stderr:
        pytest.skip(f"{comfy.python()} has no pip: python -m ensurepip")
    if done.returncode:
        return None
    return [package["metadata"]["name"] for package in json.loads(done.stdout)["install"]]


def test_requirements_change_nothing() -> None:
    assert would_install(ROOT / "requirements.txt") == []


def test_what_the_engine_needs_is_there(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (tmp_path / "needed.txt").write_text("\n".join([*project["dependencies"], "tokenizers"]))
    assert would_install(tmp_path / "needed.txt") == []


def test_a_requirement_that_changes_something_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "older.txt").write_text("torch<2.0")
    assert would_install(tmp_path / "older.txt") is None
