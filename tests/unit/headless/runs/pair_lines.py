"""Three pairs that are cheap to make, and how a data set of them is made and read."""

import hashlib
import json
from pathlib import Path
from typing import Any

from reelpatch.headless.commands.main import main

NIGHT = "in front of a night sky"
LINES: list[dict[str, Any]] = [
    {
        "source": f"red circle {NIGHT}",
        "target": f"blue circle {NIGHT}",
        "change": "colour",
        "instruction": "make the circle blue",
        "reverse": "make the circle red",
    },
    {
        "source": "red circle in front of grass",
        "target": "red circle and pink square in front of grass",
        "change": "insertion",
        "onset": 5,
        "noise": "own",
        "seed": 11,
    },
    {"source": "cyan square in front of a sunset", "target": "cyan square in front of the ocean", "change": "background"},
]  # fmt: skip
SETTINGS = ("--steps", "2", "--seed", "3", "--device", "cpu")
LENIENT = ("--min-psnr", "0", "--min-change", "0", "--max-flicker", "99")


def write(folder: Path, lines: list[dict[str, Any]]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def pairs(file: Path, out: Path, *more: str) -> int:
    return main(["pairs", str(file), "--out", str(out), *SETTINGS, *more, "--json"])


def contents(folder: Path) -> dict[str, str]:
    """The words of every file of a folder, or the digest of a film, by its name there."""
    return {
        str(path.relative_to(folder)): _words_of(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _words_of(path: Path) -> str:
    """So that a test that fails shows what differs."""
    content = path.read_bytes()
    return (
        content.decode()
        if path.suffix in {".json", ".jsonl", ".csv"}
        else hashlib.sha256(content).hexdigest()
    )
