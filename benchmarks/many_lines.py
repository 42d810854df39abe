"""What it takes to check and plan many jobs: `python -m benchmarks.many_lines`, of 10,000 lines and of ten.

Demo jobs over two small clips: edits, enhancements, edits with a mask, and tasks, a quarter each; `reelpatch batch --dry-run` in a process of its own,
its processor time by one thread and the most memory that it held. The bars of 20 s and 500 MB are the project's own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.demo_jobs import ROOT, material
from benchmarks.results import Disagree

BAR_S, BAR_BYTES = 20.0, 500e6
KINDS: tuple[dict[str, Any], ...] = (
    {"verb": "edit", "clip": "clip0.mp4", "instruction": "make it sepia"},
    {"verb": "enhance", "clip": "clip1.mp4"},
    {"verb": "edit", "clip": "clip1.mp4", "instruction": "make it sepia", "mask": "mask.png"},
    {
        "verb": "task",
        "task": "outpaint",
        "prompt": "a red circle",
        "clip": "clip1.mp4",
        "expand": "left=0.5",
    },
)
_PEAK = """
import resource, sys
from reelpatch.headless.commands.main import main
code = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
unit = 1 if sys.platform == "darwin" else 1024
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)
"""


def job_file(folder: Path, number: int) -> Path:
    """So many lines, each with a seed and an output of its own."""
    path = folder / f"{number}.jsonl"
    lines = (KINDS[one % len(KINDS)] | {"seed": one, "output": f"{one}.mp4"} for one in range(number))
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def planned(path: Path) -> tuple[float, float]:
    """Processor seconds and the most bytes. Raises: `Disagree` where a line cannot be made."""
    command = [sys.executable, "-c", _PEAK, "batch", str(path), "--dry-run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    code, cpu_s, most_bytes = done.stdout.splitlines()[-1].split()
    if code != "0":
        raise Disagree(f"{path.name} ended with code {code}: {done.stderr[-500:]}")
    return float(cpu_s), float(most_bytes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=10_000)
    number = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as top:
        folder = material(Path(top))
        half = np.zeros((64, 64), np.uint8)
        half[:32] = 255
        Image.fromarray(half).save(folder / "mask.png")
        for count in (10, number):
            cpu_s, most_bytes = planned(job_file(folder, count))
            is_met = cpu_s < BAR_S and most_bytes < BAR_BYTES
            sys.stdout.write(
                f"{count:,} lines: {cpu_s:.1f} s of the processor, {most_bytes / 2**20:.0f} MiB at most; bars {BAR_S:g} s and "
                f"{BAR_BYTES / 2**20:.0f} MiB: {'met' if is_met else 'NOT met'}\n"
            )


if __name__ == "__main__":
    main()
