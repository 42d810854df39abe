"""The trainings by time side by side on one GPU, with the processes that make their scenes: `python -m training.together FOLDER`.

Each writes its file and its log into `--out`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

NAMES = ("adapter", "further", "pictures")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.together", description=__doc__)
    parser.add_argument("folder", type=Path, help="where scenes are kept")
    parser.add_argument("--finish-in", type=float, required=True, metavar="SECONDS", help="all of it")
    parser.add_argument("--out", type=Path, required=True, help="where files and logs go")
    parser.add_argument("--factors", type=int, nargs=3, default=(8, 8, 8), metavar=("A", "F", "P"))
    parser.add_argument("--rates", type=float, nargs=3, default=(1.0, 1.0, 1.0), metavar=("A", "F", "P"))
    parser.add_argument(
        "--captured", nargs="*", choices=NAMES, default=(), help="record steps of these as CUDA graphs"
    )
    parser.add_argument("--workers", type=int, default=12, help="processes that make scenes (default 12)")
    parser.add_argument("--shards", type=int, default=96, help="of each training at most (default 96)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    folder, seconds = str(options.folder), str(options.finish_in)
    commands = {
        "ahead": ["--workers", str(options.workers), "--shards", str(options.shards), "--finish-in", seconds]
    }
    for name, factor, rate in zip(NAMES, options.factors, options.rates, strict=True):
        commands[name] = ["--finish-in", seconds, "--out", str(options.out)]
        commands[name] += ["--factor", str(factor), "--rate", str(rate)]
        commands[name] += ["--captured"] if name in options.captured else []
    # One thread each: there are as many processes as cores.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name, command in commands.items():
        with (options.out / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(
                [sys.executable, "-m", f"training.{name}", folder, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
    failed = [name for name, process in running.items() if process.wait()]
    if failed:
        raise SystemExit(f"{', '.join(failed)} failed: see the logs in {options.out}.")


if __name__ == "__main__":
    main()
