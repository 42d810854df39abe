"""Demo jobs in every way that a batch is made: equal results, what a batch adds, and what is left when workers are killed.

`python -m benchmarks.batch`: 40 jobs by calls of the editor, as a batch in this process, and on two local workers; `--ray` adds a Ray
cluster of two nodes on this machine, `--servers` two ComfyUI servers (COMFYUI_PATH), `--kill 10` rounds in which workers are killed at
random. What a batch adds is processor time of one thread, by calls and batch in turns (`--rounds`), so that what drifts meets both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import results
from benchmarks.worker_processes import workers_of
from reelpatch.headless.commands.batch_fields import JobParser
from reelpatch.headless.commands.edit import request_of as edit_request
from reelpatch.headless.commands.enhance import request_of as enhance_request
from reelpatch.headless.commands.main import build_parser
from reelpatch.headless.commands.main import main as reelpatch
from reelpatch.headless.demo import scenes
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.running import models_for, run_job
from reelpatch.headless.runs.batch.verbs import key_of, settings_of
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.progress import silent

ROOT = Path(__file__).parents[1]
TOLERANCE = {"servers": 1}
"""Of 255. ComfyUI's transformer adds up in another order than diffusers', so that a byte may be rounded otherwise. All other ways give the
same bits. Results are compared as they were made: FFV1, or of servers, which write mp4, H.264 in RGB without loss.
"""
Fields = dict[str, Any]


def material(folder: Path) -> Path:
    """Four clips of the demo, held out from its training."""
    for number in range(4):
        scene = scenes.random_scene(np.random.default_rng(scenes.HELD_OUT + number), 2)
        pixels = (scenes.render(scene) * 255).round().astype(np.uint8)
        write_video(Video(pixels, Fraction(8)), folder / f"clip{number}.mp4")
    return folder


def jobs(number: int, ending: str) -> list[Fields]:
    """Two edits and an enhancement by turns, each with a seed of its own; their results keep every bit."""
    told = ("make it sepia", "make the red circle blue", "remove the green square")
    found: list[Fields] = []
    for seed in range(number):
        one: Fields = {"verb": "edit", "instruction": told[seed % len(told)]}
        if seed % 3 == 2:
            one = {"verb": "enhance"}
        same: Fields = {"clip": f"clip{seed % 4}.mp4", "seed": seed, "lossless": True}
        found.append(one | same | {"output": f"{seed}{ending}"})
    return found


def job_file(folder: Path, number: int, ending: str = ".mkv") -> Path:
    path = material(folder) / "jobs.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in jobs(number, ending)), encoding="utf-8")
    return path


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


def by_batch(folder: Path, number: int) -> float:
    """Processor seconds of the same as a batch: reading, checking, planning and reporting included."""
    path = job_file(folder, number)
    began = time.process_time()
    check(reelpatch(["batch", str(path)]), folder)
    return time.process_time() - began


def overhead(place: Callable[[str], Path], number: int, rounds: int) -> dict[str, Any]:
    """What a batch adds to calls of the editor, in shares of their processor time; the first of both only warms up."""
    by_calls(place("calls"), number)
    by_batch(place("batch"), number)
    found: list[dict[str, float]] = []
    for turn in range(rounds):
        spent = {by_calls: 0.0, by_batch: 0.0}
        for index, way in enumerate((by_calls, by_batch, by_batch, by_calls)):
            folder = place(f"turn{turn}.{index}")
            spent[way] += way(folder, number) / 2
            shutil.rmtree(folder)
        calls, batch = spent.values()
        found.append({"calls_cpu_s": calls, "batch_cpu_s": batch, "adds": batch / calls - 1})
    return {"rounds": found, "adds": statistics.median(one["adds"] for one in found) if found else None}


def as_process(folder: Path, number: int, threads: int, *options: str, ending: str = ".mkv") -> float:
    """Wall seconds of the command as a process of its own."""
    path = job_file(folder, number, ending)
    began = time.perf_counter()
    check(started(path, threads, *options).wait(), folder)
    return time.perf_counter() - began


def started(path: Path, threads: int, *options: str) -> subprocess.Popen[bytes]:
    code = "import sys; from reelpatch.headless.commands.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, "batch", str(path), *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stderr=(path.parent / "log").open("w"),
    )


def check(code: int, folder: Path) -> None:
    if code:
        raise results.Disagree(f"the batch in {folder} ended with code {code}")


def difference(one: Path, other: Path, number: int, ending: str) -> int:
    """The largest of all pixels of all results, of 255."""

    def frames(folder: Path, name: int) -> Any:
        return read_video(folder / f"{name}{ending}", folder_fps=Fraction(1)).frames.astype(int)

    return max(int(np.abs(frames(one, name) - frames(other, name)).max()) for name in range(number))


def killed(folder: Path, number: int, seed: int) -> dict[str, int]:
    """What is left of a batch on two workers of which some are killed at random; all of it is done, or this is no result."""
    path, chance = job_file(folder, number), random.Random(seed)
    process, kills = started(path, 1, "--devices", "cpu,cpu"), 0
    while process.poll() is None:
        time.sleep(1 + 4 * chance.random())
        workers = workers_of(process.pid) if process.poll() is None else []
        if workers and kills < 4:
            chance.choice(workers).send_signal(signal.SIGKILL)
            kills += 1
    check(process.wait(), folder)
    report = json.loads((folder / "jobs_report" / "report.json").read_text(encoding="utf-8"))
    half = [one.name for one in folder.iterdir() if ".part" in one.name]
    if report["counts"]["done"] != number or half:
        raise results.Disagree(f"{report['counts']}, half files {half}")
    return {"kills": kills, "tries": sum(len(job["tries"]) for job in report["jobs"])}


def measure(number: int, *, ray: bool, servers: bool, rounds: int, killed_rounds: int) -> dict[str, Any]:
    """All that is asked for."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as top, ExitStack() as open_until_end:

        def place(name: str) -> Path:
            (Path(top) / name).mkdir()
            return Path(top) / name

        found: dict[str, Any] = {
            "jobs": number,
            "overhead": overhead(place, number, rounds),
            "wall_s": {
                "one worker, two threads": as_process(place("one"), number, 2),
                "two workers, one thread each": as_process(place("two"), number, 1, "--devices", "cpu,cpu"),
            },
            "differences": {},
        }
        ways: dict[str, str] = {"batch": ".mkv", "two": ".mkv"}
        if ray:
            found["wall_s"]["Ray, two nodes"] = _by_ray(place("ray"), number, open_until_end)
            ways["ray"] = ".mkv"
        for name, ending in ways.items():
            found["differences"][name] = difference(Path(top) / "calls", Path(top) / name, number, ending)
        if servers:
            urls = _servers(Path(top), open_until_end)
            found["wall_s"]["two ComfyUI servers"] = as_process(
                place("servers"), number, 1, "--comfyui", urls, ending=".mp4"
            )
            as_process(place("mp4"), number, 1, ending=".mp4")
            found["differences"]["servers"] = difference(
                Path(top) / "mp4", Path(top) / "servers", number, ".mp4"
            )
        for name, largest in found["differences"].items():
            if largest > TOLERANCE.get(name, 0):
                raise results.Disagree(f"{name}: results differ by {largest} of 255")
        found["killed"] = [killed(place(f"killed{seed}"), number, seed) for seed in range(killed_rounds)]
        return found


def _by_ray(folder: Path, number: int, until_end: ExitStack) -> float:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    until_end.callback(cluster.shutdown)
    cluster.add_node(num_cpus=1)
    return as_process(folder, number, 1, "--ray", str(cluster.address))


def _servers(top: Path, until_end: ExitStack) -> str:
    from tests.host.server import running

    models = ROOT / "reelpatch" / "headless" / "demo" / "models"
    urls: list[str] = []
    for name in ("server1", "server2"):
        (top / name).mkdir()
        urls.append(until_end.enter_context(running(top / name, models)).url)
    return ",".join(urls)


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures to read."""
    lines = [f"# {found['jobs']} demo jobs as batches", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items()]
    lines += [
        "",
        *_overhead_lines(found["overhead"]),
        "| way | wall time | results differ by, of 255 |",
        "|---|---|---|",
    ]
    names = {"two workers, one thread each": "two", "Ray, two nodes": "ray", "two ComfyUI servers": "servers"}
    for way, seconds in found["wall_s"].items():
        lines.append(f"| {way} | {seconds:.0f} s | {found['differences'].get(names.get(way, ''), '')} |")
    for one in found["killed"]:
        lines.append(
            f"\n{one['kills']} workers killed at random: every job done once, {one['tries']} tried again, no half file."
        )
    return lines


def _overhead_lines(found: Mapping[str, Any]) -> list[str]:
    if found["adds"] is None:
        return []
    calls = statistics.median(one["calls_cpu_s"] for one in found["rounds"])
    shares = ", ".join(f"{one['adds']:+.1%}" for one in found["rounds"])
    return [
        f"A batch adds **{found['adds']:+.1%}** (median; rounds: {shares}) to the {calls:.1f} s of processor time that calls of the "
        "editor take in the same process, loading included.",
        "",
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--servers", action="store_true")
    parser.add_argument("--rounds", type=int, default=3, help="of calls and batch in turns (%(default)s)")
    parser.add_argument("--kill", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    options = parser.parse_args(argv)
    found = measure(
        options.jobs,
        ray=options.ray,
        servers=options.servers,
        rounds=options.rounds,
        killed_rounds=options.kill,
    )
    found = {"machine": results.machine(), **found}
    sys.stdout.write(f"{results.write('batch', found, table(found), options.out)}\n")


if __name__ == "__main__":
    main()
