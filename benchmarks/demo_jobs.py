"""Small jobs of the demo as a file, how a batch of them is started, and how far the results of two ways are apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results
from reelpatch.headless.demo import scenes
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video

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
