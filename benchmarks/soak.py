"""Many edits one after the other, and what they leave in memory: `python -m benchmarks.soak`.

300 edits of the demo by one `Editor`, each of another clip and instruction, and 60 runs queued in a ComfyUI server where a
checkout is there (`COMFYUI_PATH`). In use is what was asked of malloc and not yet freed, and how many blocks Python holds; of
the server, the memory that is no file's page, with an allocator that hands back what is freed. The first tenth of the runs
(4 at least) warms up. Ends with 1 where what is in use grows by more than 2 %.
"""

import argparse
import ctypes
import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch

from benchmarks.long_clips import HANDS_BACK
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.embedded_texts import KEPT_TEXTS
from reelpatch.recipes import recipe
from tests.host.server import running

BAR = 1.02
WARM_UP = KEPT_TEXTS  # runs until all is there that stays, at the least
MIB = 2**20
FIRST_SEED = scenes.HELD_OUT + 5_000_000
ROOT = Path(__file__).parents[1]
MODELS = ROOT / "reelpatch/headless/demo/models"
PROMPT = ROOT / "workflows/api/Demo - edit on any machine.json"
Figures = dict[str, float]


class _Mallinfo2(ctypes.Structure):
    """As in glibc's malloc.h, from 2.33 on."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks"),
            "keepcost",
        )
    ]


def in_use() -> Figures:
    """Bytes asked of malloc and not yet freed, and Python's blocks. Raises: `OSError` where libc does not tell."""
    told = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if told is None:
        raise OSError("memory in use is told by glibc 2.33 or newer, which this machine has not.")
    told.restype = _Mallinfo2
    gc.collect()
    found = told()
    return {"bytes": found.uordblks + found.hblkhd, "python_blocks": sys.getallocatedblocks()}


def watch(work: Callable[[int], object], times: int, measure: Callable[[], Figures]) -> dict[str, Any]:
    """Works so many times, and says by how much what is in use grew after the first tenth.

    `growth` is the median of the last fifth over that of the first one that is no warming up.
    """
    seen: list[Figures] = []
    for number in range(times):
        work(number)
        seen.append(measure())
        sys.stderr.write(f"\r{number + 1}/{times}")
    warm = seen[max(WARM_UP, times // 10) :]
    part = max(1, len(warm) // 5)
    first, last = (
        {name: median(one[name] for one in some) for name in warm[0]} for some in (warm[:part], warm[-part:])
    )
    return {
        "runs": times,
        "first_mib": round(first["bytes"] / MIB, 1),
        "last_mib": round(last["bytes"] / MIB, 1),
        "growth": {name: round(last[name] / first[name], 4) for name in first},
    }


def edits(times: int) -> dict[str, Any]:
    """Edits by one `Editor`, which keeps its models."""
    editor = Editor(recipe("demo"))

    def edit(number: int) -> None:
        example = scenes.example(FIRST_SEED + number)
        editor.edit(torch.from_numpy(example.source), example.instruction, seed=number)

    return watch(edit, times, in_use)


def queued(times: int, folder: Path) -> dict[str, Any]:
    """The demo's workflow queued in a server that keeps its models, each time with another instruction and seed."""
    os.environ |= HANDS_BACK
    with running(folder, MODELS) as server:
        shutil.copy(ROOT / "workflows/reelpatch_demo_clip.mp4", server.base / "input")

        def run(number: int) -> None:
            prompt = json.loads(PROMPT.read_text(encoding="utf-8"))
            for node in prompt.values():
                given = node["inputs"]
                given |= {"seed": number} if "seed" in given else {}
                if node["class_type"] == "CLIPTextEncode" and isinstance(given["text"], str):
                    given["text"] = scenes.example(FIRST_SEED + number).instruction
            assert server.run(prompt)["status"]["status_str"] == "success"

        return watch(run, times, lambda: {"bytes": _anonymous_bytes(server.pid)})


def _anonymous_bytes(process: int) -> int:
    """Memory of a process that is no file's page."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def grown(report: Mapping[str, Any]) -> list[str]:
    """What of a report is over the bar."""
    return [
        f"{name}: {what} grew to {growth:g} times"
        for name, found in report.items()
        if isinstance(found, dict)
        for what, growth in found["growth"].items()
        if growth > BAR
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=300, help="in this process (%(default)s)")
    parser.add_argument("--queued", type=int, default=60, help="in ComfyUI; 0 for none (%(default)s)")
    options = parser.parse_args(arguments)
    if min(options.edits, options.queued or options.edits) < WARM_UP + 2:
        parser.error(f"{WARM_UP} runs warm up and one more shows no growth: give {WARM_UP + 2} or more")
    report: dict[str, Any] = {"edits": edits(options.edits)}
    if options.queued:
        with tempfile.TemporaryDirectory() as folder:
            try:
                report["queued"] = queued(options.queued, Path(folder))
            except pytest.skip.Exception as reason:
                report["queued"] = str(reason)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    for sentence in grown(report):
        sys.stderr.write(f"{sentence} of what it was, and {BAR:g} is the bar.\n")
    return 1 if grown(report) else 0


if __name__ == "__main__":
    sys.exit(main())
