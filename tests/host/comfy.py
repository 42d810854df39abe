"""Finds a ComfyUI checkout and its Python, and runs a script in them; the tests skip with a reason otherwise."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def checkout() -> Path:
    """`$COMFYUI_PATH`, else `~/comfy/ComfyUI`."""
    path = Path(os.environ.get("COMFYUI_PATH", Path.home() / "comfy" / "ComfyUI"))
    if not (path / "main.py").is_file():
        pytest.skip(f"no ComfyUI at {path}: set COMFYUI_PATH to a checkout to run the host tests")
    return path


def python() -> str:
    """`$COMFYUI_PYTHON`, else that of the checkout's own environment."""
    comfy = checkout()
    pythons = [
        os.environ.get("COMFYUI_PYTHON", ""),
        *(str(comfy / name / "bin" / "python") for name in (".venv", "venv")),
    ]
    found = next((name for name in pythons if name and Path(name).exists()), None)
    if found is None:
        pytest.skip(f"{comfy} has no .venv or venv: set COMFYUI_PYTHON to the Python that runs ComfyUI")
    return found


def run(script: Path, *arguments: Path | str) -> None:
    """Runs `script` with ComfyUI importable, on the CPU, by the Python of ComfyUI's own environment."""
    comfy = checkout()
    done = subprocess.run(
        [python(), str(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(comfy)},
        cwd=comfy,
        capture_output=True,
        text=True,
        timeout=7200,  # minutes of work at most; long, for machines that are busy with other things
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
