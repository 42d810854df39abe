"""From the command to a plan, and to the first step, on files of full size: `python -m benchmarks.start`.

The five files of Ditto's published recipe (33 GB) are written with their published headers and no data, so that they take no room and no
disk is measured; numbers are not either: the text is one that was embedded before, and what is counted ends where the first step begins.
Each figure is the median of some processes, by the clock and by the processor, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.full_size_files import write_ditto

ROOT = Path(__file__).parents[1]
Seconds = dict[str, float]
# Layers of the LoRA.
_ATTENTION = tuple(f"{kind}_attn.{layer}" for kind in ("self", "cross") for layer in "qkvo")


def to_a_plan(folder: Path) -> Seconds:
    """Of the command `reelpatch plan`, from its start to its end."""
    command = ["reelpatch", "plan", "--recipe", "ditto-global", "--models", str(folder), "--json"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    _output(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"s": time.perf_counter() - began, "cpu_s": cpu_s}


def measure(turns: int) -> dict[str, Any]:
    """All figures, of so many processes each."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        size_gb = write_ditto(folder, _ATTENTION)
        plans = [to_a_plan(folder) for _ in range(turns)]
        starts = [json.loads(_output(["benchmarks.sparse_start", top], folder)) for _ in range(turns)]
    found: dict[str, Any] = {"files_gb": size_gb, "turns": turns, "plan": _median(plans)}
    for stage in ("imported", "files_known", "first_step_begins"):
        found[stage] = _median([one[stage] for one in starts])
    found["parts"] = _median([one["parts"] for one in starts])
    found["anonymous_gb"] = statistics.median(one["anonymous_gb"] for one in starts)
    return found


def _output(module: Sequence[str], folder: Path) -> str:
    command = [sys.executable, "-m", *module]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return done.stdout


def _median(found: Sequence[Mapping[str, float]]) -> Seconds:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures to read."""
    lines = [f"# From the command to the first step, on {found['files_gb']:.1f} GB of files without data", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items() if value is not None]
    lines += ["", "| from the start of the process to | seconds | of the processor |", "|---|---|---|"]
    for stage, what in (
        ("plan", "the end of `reelpatch plan`"),
        ("imported", "an edit: all that it needs is imported"),
        ("files_known", "its files are found, and their headers read"),
        ("first_step_begins", "its first step begins"),
    ):
        lines.append(f"| {what} | {found[stage]['s']:.1f} | {found[stage]['cpu_s']:.1f} |")
    parts = ", ".join(
        f"{name.removesuffix('_s')} {seconds:.2f} s" for name, seconds in found["parts"].items()
    )
    lines += ["", f"Of it: {parts}; the rest is the encoding of 5 frames of 64x64 on the processor."]
    return [*lines, f"Memory that is no file's: {found['anonymous_gb']:.1f} GB."]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=3, help="processes for each figure (%(default)s)")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    options = parser.parse_args(argv)
    found = {"machine": results.machine(), **measure(options.turns)}
    sys.stdout.write(f"{results.write('start', found, table(found), options.out)}\n")


if __name__ == "__main__":
    main()
