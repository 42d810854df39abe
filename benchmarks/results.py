"""Results as files: JSON with every figure, and a table to read beside it."""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parent / "results"


class Disagree(Exception):
    """Contenders do not compute the same, so that their times say nothing."""


def check_agree(found: torch.Tensor, expected: torch.Tensor, *, at_most: float, what: str) -> float:
    """The relative difference (L2) of two outputs.

    Raises: `Disagree` where it is larger than `at_most`, or anything is not finite.
    """
    difference = float((found.double() - expected.double()).norm() / expected.double().norm())
    if not difference <= at_most:
        raise Disagree(
            f"{what}: outputs differ by {difference:.3g} (at most {at_most:g}); no times are reported."
        )
    return difference


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was."""
    loads = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu_cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average_1_5_15_min": loads,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def write(name: str, results: Mapping[str, Any], table: Sequence[str], folder: Path = FOLDER) -> Path:
    """Writes NAME.json and NAME.md, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "json": json.dumps(results, indent=1, allow_nan=False) + "\n",
        "md": "\n".join(table) + "\n",
    }
    for ending, text in texts.items():
        path = folder / f"{name}.{ending}"
        part = path.with_suffix(f".{ending}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    return folder / f"{name}.md"
