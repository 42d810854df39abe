"""Demo jobs in every way that a batch is made: equal results, what a batch adds, and a loss in each way.

`python -m benchmarks.batch --ray --servers`: 40 jobs by calls of the editor, as a batch in this process, by one and by two local workers,
by a Ray cluster of two nodes on this machine, and by two ComfyUI servers (COMFYUI_PATH); then by two of each of which one is lost, as in
`benchmarks.rounds`. What a batch adds is processor time of one thread: with jobs one at a time, and with two (`--overhead` prints this alone, and
writes nothing). It is found by calls and batch in turns (`--rounds`), so that what drifts meets both alike, and, as that is rough on a busy
machine, within each batch too: all of its time but that of the same calls inside it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks import results
from benchmarks.demo_jobs import TOLERANCE, as_process, check, difference, job_file, jobs
from benchmarks.rounds import loss_lines, one_round
from benchmarks.two_workers import WAYS
from reelpatch.headless.commands.batch_fields import JobParser
from reelpatch.headless.commands.edit import request_of as edit_request
from reelpatch.headless.commands.enhance import request_of as enhance_request
from reelpatch.headless.commands.main import build_parser
from reelpatch.headless.commands.main import main as reelpatch
from reelpatch.headless.runs.batch import make, run, turns
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.running import models_for, run_job
from reelpatch.headless.runs.batch.verbs import key_of, settings_of
from reelpatch.progress import silent


def by_calls(folder: Path, number: int) -> float:
    """Processor seconds of the verbs' own runs, one recipe loaded after the other."""
    path = job_file(folder, number)
    parsers: Any = next(action.choices for action in build_parser()._actions if action.choices)
    parser = JobParser(parsers, path.parent, {})
    requests = {"edit": edit_request, "enhance": enhance_request}
    made = [
        Job(0, one["verb"], requests[one["verb"]](parser.options_of(one))) for one in jobs(number, ".mkv")
    ]
    began = time.process_time()
    for key in dict.fromkeys(map(key_of, made)):
        models = None
        for job in made:
            if key_of(job) == key:
                models = models or models_for(job)
                run_job(job, silent, models.under(settings_of(job)))
    return time.process_time() - began


def by_batch(folder: Path, number: int, at_once: int) -> tuple[float, float]:
    """Processor seconds of the same as a batch, reading, checking, planning and reporting included, and how many are of these calls."""
    path = job_file(folder, number)
    inside: list[float] = []
    began = time.process_time()
    with mock.patch.object(run, "at_once", return_value=at_once), _timed(inside):
        check(reelpatch(["batch", str(path)]), folder)
    return time.process_time() - began, sum(inside)


@contextmanager
def _timed(seconds: list[float]) -> Generator[None]:
    """Notes the processor seconds that jobs and their models take, each by its own thread; other jobs' are not in them."""

    def timed(real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            began = time.thread_time()
            try:
                return real(*args, **options)
            finally:
                seconds.append(time.thread_time() - began)

        return called

    with ExitStack() as patches:
        for where, name in ((make, "models_for"), (make, "run_job"), (turns, "_has_ended")):
            patches.enter_context(mock.patch.object(where, name, timed(getattr(where, name))))
        yield


_AT_ONCE = (1, run.AT_ONCE)


def overhead(place: Callable[[str], Path], number: int, rounds: int) -> list[dict[str, Any]]:
    """What a batch adds to calls of the editor, in shares of their processor time; the first of each only warms up."""
    by_calls(place("calls"), number)
    for at_once in _AT_ONCE:
        by_batch(place(f"batch{at_once}"), number, at_once)
    found = [{"at_a_time": at_once, "by_turns": [], "within": [], "calls_s": []} for at_once in _AT_ONCE]
    for turn in range(rounds):
        calls_s, spent = 0.0, [(0.0, 0.0)] * len(_AT_ONCE)
        order = (None, *range(len(_AT_ONCE)))
        for index, which in enumerate((*order, *reversed(order))):
            folder = place(f"turn{turn}.{index}")
            if which is None:
                calls_s += by_calls(folder, number) / 2
            else:
                all_s, inside_s = by_batch(folder, number, _AT_ONCE[which])
                spent[which] = spent[which][0] + all_s / 2, spent[which][1] + inside_s / 2
            shutil.rmtree(folder)
        for one, (all_s, inside_s) in zip(found, spent, strict=True):
            one["calls_s"].append(calls_s)
            one["by_turns"].append(all_s / calls_s - 1)
            one["within"].append(all_s / inside_s - 1)
    return found


def _made(top: Path, name: str) -> Path:
    """A new folder."""
    (top / name).mkdir()
    return top / name


def measure(number: int, ways: Sequence[str], rounds: int) -> dict[str, Any]:
    """All that is asked for, and a loss in each way. Raises: `Disagree` where results differ, or something is left undone."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as top:
        place = partial(_made, Path(top))

        found: dict[str, Any] = {
            "jobs": number,
            "overhead": overhead(place, number, rounds),
            "differences": {},
        }
        alone = {".mkv": Path(top) / "calls", ".mp4": place("alone")}
        found["wall_s"] = {
            "one": as_process(alone[".mp4"], number, 1, ending=".mp4"),
            "threads": as_process(place("threads"), number, 2),
        }
        made = {"batch": Path(top) / f"batch{run.AT_ONCE}"}
        for way in ways:
            begun, ending = WAYS[way]
            made[way] = place(way)
            with contextmanager(begun)(random.Random(0)) as (options, _take_away):
                found["wall_s"][way] = as_process(made[way], number, 1, *options, ending=ending)
        for way, folder in made.items():
            ending = WAYS[way][1] if way in WAYS else ".mkv"
            off = difference(alone[ending], folder, number, ending)
            if off > TOLERANCE.get(way, 0):
                raise results.Disagree(f"{way}: results differ by {off} of 255")
            found["differences"][way] = off
        found["losses"] = [
            one_round(place(f"loss_{way}"), alone[WAYS[way][1]], way, number, 0) for way in ways
        ]
        return found


_NAMES = {
    **{"batch": "as a batch, in one process with the calls", "one": "one worker, one thread"},
    **{"threads": "one worker, two threads", "workers": "two workers, one thread each"},
    **{"ray": "Ray, two nodes of one thread", "servers": "two ComfyUI servers"},
}


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures to read."""
    lines = [f"# {found['jobs']} demo jobs as batches", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items()]
    lines += ["", *_overhead_lines(found["overhead"])]
    lines += ["| way | wall time | results differ from calls of the editor by, of 255 |", "|---|---|---|"]
    for way, name in _NAMES.items():
        seconds, off = found["wall_s"].get(way), found["differences"].get(way, "")
        if seconds is not None or off != "":
            lines.append(f"| {name} | {'' if seconds is None else f'{seconds:.0f} s'} | {off} |")
    return [
        *lines,
        "",
        "The same with one of the two lost at a random time:",
        "",
        *loss_lines(found["losses"]),
    ]


def _overhead_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    if not found[0]["calls_s"]:
        return []
    calls_s = statistics.median(found[0]["calls_s"])
    lines = [
        f"Calls of the editor take {calls_s:.1f} s of processor time in one process, loading included. A batch there adds to it:",
        "",
        "| jobs at a time | by turns with calls, median | rounds | within the batch, median | rounds |",
        "|---|---|---|---|---|",
    ]
    for one in found:
        cells = (
            f"{statistics.median(one[name]):+.1%} | {', '.join(f'{share:+.1%}' for share in one[name])}"
            for name in ("by_turns", "within")
        )
        lines.append(f"| {one['at_a_time']} | {' | '.join(cells)} |")
    return [*lines, ""]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--servers", action="store_true")
    parser.add_argument("--rounds", type=int, default=3, help="of calls and batch in turns (%(default)s)")
    parser.add_argument("--overhead", action="store_true", help="what a batch adds, and nothing else")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    options = parser.parse_args(argv)
    if options.overhead:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as top:
            found = overhead(partial(_made, Path(top)), options.jobs, options.rounds)
        sys.stdout.write("\n".join(_overhead_lines(found)))
        return
    ways = ["workers", *(["ray"] if options.ray else []), *(["servers"] if options.servers else [])]
    found = measure(options.jobs, ways, options.rounds)
    found = {"machine": results.machine(), **found}
    sys.stdout.write(f"{results.write('batch', found, table(found), options.out)}\n")


if __name__ == "__main__":
    main()
