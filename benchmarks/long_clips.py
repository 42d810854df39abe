"""Long clips in windows, as a user runs them: `python -m benchmarks.long_clips {cost,memory,joins,kill} --out DIR`.

cost: processor time of one window and of clips up to 20 times as long. memory: peak of one window and of a clip 20 times as
long, with an allocator that hands back what is freed; as it comes, what it keeps differs by a third from run to run.
joins: how much the joins show in clips of procedural scenes. kill: ends a run at random moments, starts it again, and
compares the bytes.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from reelpatch.families.wan.family import WAN
from reelpatch.headless.demo import scenes
from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.enhance import run_enhance
from reelpatch.headless.runs.request import EditRequest, EnhanceRequest
from reelpatch.measure.measures import measure
from reelpatch.media.video_io import Frames, Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe
from reelpatch.windows.plan_windows import join_early, join_late, plan_windows, usual_overlap

FIRST_SEED = scenes.HELD_OUT + 3_000_000
TIMES = (1, 5, 10, 20)
# So that peaks are what is in use, and not what glibc keeps of it: see mallopt(3).
HANDS_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
WINDOW = recipe("demo").frames
INSTRUCTIONS = (
    "make it sepia",
    "change the background to the ocean",
    "make the {} blue",
    "make it grayscale",
)


def long_scene(seed: int, frames: int, enlarged: int = 1) -> tuple[Frames, str]:
    """A held-out scene whose things go to and fro for any time, [F, H, W, 3], and an instruction for it."""
    scene = scenes.random_scene(np.random.default_rng(seed), 1)
    parts: list[Frames] = []
    while sum(map(len, parts)) < frames:
        parts.append((scenes.render(scene) * 255).round().astype(np.uint8))
        things = []
        for thing in scene.things:
            (x, y), (right, down) = thing.start_px, thing.velocity_px
            end = x + scenes.NUM_FRAMES * right, y + scenes.NUM_FRAMES * down
            things.append(replace(thing, start_px=end, velocity_px=(-right, -down)))
        scene = replace(scene, things=tuple(things))
    clip = np.concatenate(parts)[:frames].repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    return clip, INSTRUCTIONS[seed % len(INSTRUCTIONS)].format(scene.things[0].shape)


def run(
    verb: str, clip: Path, out: Path, instruction: str, environment: Mapping[str, str] | None = None
) -> tuple[float, float, int]:
    """(processor seconds, peak MiB, exit code) of a run in a process of its own."""
    words = [instruction] if verb == "edit" else []
    arguments = [verb, clip, *words, "--output", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "reelpatch", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code > 0:
        raise RuntimeError(said)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, code


def cost(folder: Path, verb: str, enlarged: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for times in TIMES:
        frames = (WINDOW - 1) * times + 1
        clip, instruction = long_scene(FIRST_SEED, frames, enlarged)
        write_video(Video(clip, Fraction(scenes.FPS)), folder / "clip.mp4")
        seconds, peak, _ = run(verb, folder / "clip.mp4", folder / "x.mp4", instruction)
        windows = len(plan_windows(frames, WINDOW, usual_overlap(WINDOW, WAN.lattice), WAN.lattice).windows)
        rows[f"{times} times"] = {
            "frames": frames,
            "windows": windows,
            "processor_s": round(seconds, 2),
            "peak_mib": round(peak, 1),
        }
    _, fifth, tenth, last = rows.values()
    early, late = (
        (after["processor_s"] - before["processor_s"]) / (after["frames"] - before["frames"])
        for before, after in ((fifth, tenth), (tenth, last))
    )
    return rows | {
        "s_per_frame_5_to_10_and_10_to_20": [round(early, 4), round(late, 4)],
        "time_ratio": round(late / early, 3),
    }


def memory(folder: Path, verb: str, enlarged: int) -> dict[str, Any]:
    peaks: dict[int, float] = {}
    for times in (TIMES[0], TIMES[-1]):
        clip, instruction = long_scene(FIRST_SEED, (WINDOW - 1) * times + 1, enlarged)
        write_video(Video(clip, Fraction(scenes.FPS)), folder / "clip.mp4")
        _, peaks[times], _ = run(verb, folder / "clip.mp4", folder / "x.mp4", instruction, HANDS_BACK)
    one, many = peaks.values()
    return {"one_window_mib": round(one, 1), "20_times_mib": round(many, 1), "ratio": round(many / one, 3)}


def joins(folder: Path, verb: str, clips: int, times: int) -> dict[str, Any]:
    frames = (WINDOW - 1) * times + 1
    plan = plan_windows(frames, WINDOW, usual_overlap(WINDOW, WAN.lattice), WAN.lattice)
    join = join_late if verb == "edit" else join_early
    seen: list[float] = []
    to_inner: list[float] = []
    for number in range(clips):
        clip, instruction = long_scene(FIRST_SEED + number, frames)
        write_video(Video(clip, Fraction(scenes.FPS)), folder / "clip.mp4", crf=0)
        _here(verb, folder, instruction, number)
        source, result = (
            read_video(folder / name, folder_fps=Fraction(1)).frames for name in ("clip.mp4", "x.mp4")
        )
        # The first frame that is shown as the later window made it.
        at = [one.first + join(one.overlap, WAN.lattice) for one in plan.windows[1:]]
        seen += [one.visibility for one in measure(source, result, at=at).joins]
        changes = np.abs(np.diff(result.astype(np.int16), axis=0)).mean((1, 2, 3))
        # Where one latent frame ends and the next begins; the first window has one such place inside it.
        inside, *others = changes[WAN.lattice.frames_per_latent :: WAN.lattice.frames_per_latent]
        to_inner.append(fmean(others) / inside)
        sys.stderr.write(f"\r{number + 1}/{clips}")
    return {
        "clips": clips,
        "joins": len(seen),
        "change_over_median": round(fmean(seen), 3),
        "largest": round(max(seen), 3),
        "latent_edges_over_that_of_first_window": round(fmean(to_inner), 3),
        "the_same_as_median_of_clips": round(median(to_inner), 3),
    }


def _here(verb: str, folder: Path, instruction: str, seed: int) -> None:
    """A run in this process, which has the libraries loaded already."""
    clip, out = folder / "clip.mp4", folder / "x.mp4"
    if verb == "edit":
        run_edit(EditRequest(clip, instruction, seed=seed, output=out))
    else:
        run_enhance(EnhanceRequest(clip, seed=seed, output=out))


def kill(folder: Path, verb: str, runs: int) -> dict[str, Any]:
    clip, instruction = long_scene(FIRST_SEED, 8 * (WINDOW - 1) + 1)
    write_video(Video(clip, Fraction(scenes.FPS)), folder / "clip.mp4")
    whole = folder / "whole.mp4"
    began = time.monotonic()
    run(verb, folder / "clip.mp4", whole, instruction)
    length_s = time.monotonic() - began
    words = [instruction] if verb == "edit" else []
    equal, ended = 0, 0
    for number in range(runs):
        out = folder / f"broken_{number}.mp4"
        arguments = [sys.executable, "-m", "reelpatch", verb, folder / "clip.mp4", *words, "--output", out]
        while not out.exists():
            process = subprocess.Popen(
                list(map(str, arguments)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(timeout=length_s * random.uniform(0.3, 1.1))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                ended += 1
        equal += out.read_bytes() == whole.read_bytes()
    return {"runs": runs, "killed": ended, "equal_bytes": equal}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cost", "memory", "joins", "kill"))
    parser.add_argument("--verb", choices=("edit", "enhance"), default="edit")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument(
        "--times", type=int, default=4, help="how many times a window the clips of joins are long"
    )
    parser.add_argument(
        "--enlarged",
        type=int,
        default=4,
        help="how many times 64 pixels the clips of cost and memory are wide",
    )
    parser.add_argument("--runs", type=int, default=5, help="of kill")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.what == "cost":
        report = cost(options.out, options.verb, options.enlarged)
    elif options.what == "memory":
        report = memory(options.out, options.verb, options.enlarged)
    elif options.what == "joins":
        report = joins(options.out, options.verb, options.clips, options.times)
    else:
        report = kill(options.out, options.verb, options.runs)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
