"""Batches of demo jobs from which something is taken away at random times: a worker, a node of a Ray cluster, a ComfyUI server.

`python -m benchmarks.rounds --rounds 10`: in each round 40 jobs by two local workers of which one is killed, by a Ray cluster
of two nodes of which one is lost, and by two ComfyUI servers of which one is killed (COMFYUI_PATH). A round counts where every job is done
once, by results equal to those of one process alone (those of servers within 1 of 255), and where no half file is left. `--first 7 --rounds 3` adds
rounds 7 to 9 to those before them in the results.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks import results
from benchmarks.demo_jobs import TOLERANCE, as_process, check, difference, job_file, started
from benchmarks.two_workers import WAYS, TakeAway

WITHIN_S = 20.0
"""How long after work has begun something is taken away at the latest."""


def one_round(
    folder: Path, alone: Path, way: str, number: int, seed: int, within_s: float = WITHIN_S
) -> dict[str, Any]:
    """What came of a batch from which something was taken away. Raises: `Disagree` where not every job is done once and right."""
    chance = random.Random(f"{way} {seed}")
    make, ending = WAYS[way]
    path = job_file(folder, number, ending)
    taken = threading.Event()
    with contextmanager(make)(chance) as (options, take_away):
        batch = started(path, 1, *options)
        after_s = within_s * chance.random()
        threading.Thread(target=_later, args=(batch, folder, after_s, take_away, taken), daemon=True).start()
        check(batch.wait(), folder)
    report = json.loads((folder / "jobs_report" / "report.json").read_text(encoding="utf-8"))
    half = [one.name for one in folder.iterdir() if ".part" in one.name or one.name.endswith(".windows")]
    lines = sorted(job["line"] for job in report["jobs"] if job["state"] == "done")
    if lines != list(range(1, number + 1)) or half:
        raise results.Disagree(f"{way}, round {seed}: {report['counts']}, half files {half}")
    off = difference(alone, folder, number, ending)
    if off > TOLERANCE.get(way, 0):
        raise results.Disagree(f"{way}, round {seed}: results differ by {off} of 255")
    tries = [one["reason"] for job in report["jobs"] for one in job["tries"]]
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "way": way,
        "round": seed,
        "after_s": after_s,
        "is_taken": taken.is_set(),
    }
    return found | {"tries": tries, "differs_by": off}


def _later(
    batch: subprocess.Popen[bytes], folder: Path, after_s: float, take_away: TakeAway, taken: threading.Event
) -> None:
    """Takes something away when work has begun and that time is over, unless all is done by then."""
    while batch.poll() is None and "begins line" not in (folder / "log").read_text(errors="replace"):
        time.sleep(0.2)
    time.sleep(after_s)
    if batch.poll() is None:
        with suppress(psutil.NoSuchProcess):
            take_away(batch)
            taken.set()


def measure(
    number: int, rounds: range, ways: Sequence[str], within_s: float = WITHIN_S, minutes: float = math.inf
) -> list[dict[str, Any]]:
    """All rounds that begin within so many minutes; what ended is said at once."""
    found: list[dict[str, Any]] = []
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as top:
        alone: dict[str, Path] = {}
        for ending in dict.fromkeys(WAYS[way][1] for way in ways):
            alone[ending] = Path(top) / f"alone{ending}"
            alone[ending].mkdir()
            as_process(alone[ending], number, 1, ending=ending)
        for seed in rounds:
            for way in ways:
                if time.monotonic() > until:
                    return found
                folder = Path(top) / f"{way}{seed}"
                folder.mkdir()
                found.append(one_round(folder, alone[WAYS[way][1]], way, number, seed, within_s))
                sys.stdout.write(f"{found[-1]}\n")
                sys.stdout.flush()
    return found


def before(first: int, number: int, folder: Path) -> list[dict[str, Any]]:
    """The rounds of earlier runs that are numbered below `first`, of batches of as many jobs."""
    if not first:
        return []
    found = json.loads((folder / "rounds.json").read_text(encoding="utf-8"))
    if found["jobs"] != number:
        raise SystemExit(f"the rounds before are of {found['jobs']} jobs each: give --jobs {found['jobs']}.")
    return [{"date": found["machine"]["date"], **one} for one in found["rounds"] if one["round"] < first]


def loss_lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """What was taken away, as a table."""
    lines = ["| taken away | rounds | of them while jobs ran | jobs tried again | results differ by, of 255 |", "|---|---|---|---|---|"]  # fmt: skip
    for way, what in (("workers", "one of two workers"), ("ray", "one of two nodes"), ("servers", "one of two ComfyUI servers")):  # fmt: skip
        mine = [one for one in found if one["way"] == way]
        if mine:
            tried = sum(len(one["tries"]) for one in mine)
            taken, off = sum(one["is_taken"] for one in mine), max(one["differs_by"] for one in mine)
            lines.append(f"| {what} | {len(mine)} | {taken} | {tried} | {off} |")
    return [*lines, "", "Every job of every round was done once, and no half file was left."]


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures to read."""
    lines = [f"# {found['jobs']} demo jobs, with losses at random times", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items()]
    days: dict[str, list[int]] = {}
    for one in found["rounds"]:
        days.setdefault(one["date"], []).append(one["round"])
    lines += [f"rounds {min(mine)} to {max(mine)}: {day}  " for day, mine in days.items()]
    return [*lines, "", *loss_lines(found["rounds"])]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first round (%(default)s)")
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--ways", default="workers,ray,servers", help="of workers, ray and servers")
    parser.add_argument(
        "--within",
        type=float,
        default=WITHIN_S,
        help="seconds of work after which something is gone (%(default)s)",
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no round begins")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    options = parser.parse_args(argv)
    earlier = before(options.first, options.jobs, options.out)
    numbers = range(options.first, options.first + options.rounds)
    found = measure(options.jobs, numbers, options.ways.split(","), options.within, options.minutes)
    everything = {"machine": results.machine(), "jobs": options.jobs, "rounds": [*earlier, *found]}
    sys.stdout.write(f"{results.write('rounds', everything, table(everything), options.out)}\n")


if __name__ == "__main__":
    main()
