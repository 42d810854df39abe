"""Runs one of our benchmarks inside ComfyUI, by the Python of its own environment, as the host tests are run."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from tests.host import comfy

ROOT = Path(__file__).parents[1]
INSIDE = ROOT / "tests/host/inside/run.py"
ON_CPU = ("--cpu",)


class Absent(Exception):
    """Why there is no ComfyUI here, in one sentence."""


def run_inside(suite: str, folder: Path, *settings: str, options: Sequence[str] = ON_CPU) -> dict[str, Any]:
    """What the one check of `suite` returns; ComfyUI's base is `folder`, and `options` are its own.

    `settings` reach the suite in the variable REELPATCH_BENCHMARK.
    Raises: `Absent`; `Disagree` where the check fails, with what it said.
    """
    python, checkout = _host()
    models = folder / "models"
    models.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(checkout), str(ROOT))),
        "REELPATCH_BENCHMARK": " ".join(settings),
    }
    done = subprocess.run(
        [python, str(INSIDE), str(folder), str(models), suite, *options],
        env=environment,
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or "nothing was said").splitlines()[-1]
        raise Absent(f"ComfyUI did not start: {last}")
    (found,) = json.loads((folder / f"{suite}.json").read_text(encoding="utf-8")).values()
    if not found["passed"]:
        raise results.Disagree(found["value"])
    return found["value"]


def card_gib() -> float:
    """The memory of the card that ComfyUI would use. Raises: `Absent` where there is none."""
    size = "import torch; print(torch.cuda.get_device_properties(0).total_memory / 2**30)"
    done = subprocess.run([_host()[0], "-c", size], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"there is no card for ComfyUI: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


def _host() -> tuple[str, Path]:
    try:
        return comfy.python(), comfy.checkout()
    except pytest.skip.Exception as reason:
        raise Absent(str(reason)) from None
