"""Twelve jobs of the demo on tiny weights, and how a batch of jobs is written and run."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelpatch.headless.commands.main import main
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square

Fields = dict[str, Any]


def material(folder: Path) -> Path:
    """Two clips, a mask and a picture, in a folder."""
    for number, name in enumerate(("a", "b")):
        write_video(Video(moving_square(5 + 4 * number), Fraction(8)), folder / f"{name}.mp4", lossless=True)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, :16] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(moving_square()[0]).save(folder / "still.png")
    return folder


def twelve_jobs() -> list[Fields]:
    """Edits, masked edits, enhancements and tasks, of two recipes, mixed."""
    edits: list[Fields] = [
        {"verb": "edit", "clip": "a.mp4", "instruction": "make it sepia", "steps": 2},
        {"verb": "edit", "clip": "b.mp4", "instruction": "make it blue", "mask": "mask.png", "steps": 3},
        {
            "verb": "edit",
            "clip": "a.mp4",
            "instruction": "make it blue",
            "when": "1-3",
            "seed": 5,
            "steps": 2,
        },
        {
            "verb": "edit",
            "clip": "b.mp4",
            "instruction": "make it sepia",
            "strength": 0.5,
            "guidance": 2,
            "steps": 2,
        },
        {
            "verb": "edit",
            "clip": "a.mp4",
            "instruction": "make it blue",
            "mask": "mask.png",
            "feather": 2,
            "steps": 1,
        },
        {
            "verb": "edit",
            "clip": "b.mp4",
            "instruction": "make it sepia",
            "window-frames": 5,
            "overlap": 1,
            "steps": 1,
        },
    ]
    enhanced: list[Fields] = [
        {"verb": "enhance", "clip": "a.mp4"},
        {"verb": "enhance", "clip": "b.mp4", "steps": 4, "seed": 9},
        {"verb": "enhance", "clip": "b.mp4", "frames": 5, "fit": True},
    ]
    small: Fields = {"verb": "task", "prompt": "make it blue", "size": "32x32", "frames": 5, "steps": 2}
    tasks: list[Fields] = [
        small | {"task": "outpaint", "clip": "a.mp4", "expand": "left=0.5"},
        small | {"task": "inpaint", "clip": "b.mp4", "box": ["0,0,16,16", "16,16,16,16"]},
        small | {"task": "extend", "first": "still.png"},
    ]
    mixed = [job for three in zip(edits[:3], enhanced, tasks, edits[3:], strict=True) for job in three]
    return [job | {"output": f"{number}.mkv"} for number, job in enumerate(mixed)]


def alone(job: Fields, folder: Path, models: Path, output: Path) -> list[str]:
    """The command line of a job by itself, written without the code under test."""
    places = {"edit": ("clip", "instruction"), "enhance": ("clip",), "task": ("task", "prompt")}[job["verb"]]
    command = [job["verb"]]
    for name, value in job.items():
        if name in (*places, "verb", "output"):
            continue
        for one in value if isinstance(value, list) else [value]:
            text = str(folder / one) if name in ("clip", "mask", "first") else str(one)
            command += [f"--{name}"] if one is True else [f"--{name}", text]
    named = [str(folder / job[name]) if name == "clip" else job[name] for name in places]
    return [command[0], *named, *command[1:], "--models", str(models), "--output", str(output)]


def write_jobs(path: Path, jobs: Sequence[Fields], models: Path, **defaults: Any) -> Path:
    """The jobs as a file, with the models folder as a default."""
    lines = [{"defaults": {"models": str(models), **defaults}}, *jobs]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def write_batch(folder: Path, jobs: Sequence[Fields], models: Path) -> Path:
    """The jobs as `jobs.jsonl` in a folder, beside the material that they read."""
    return write_jobs(material(folder) / "jobs.jsonl", jobs, models)


def batch(path: Path, *options: str) -> int:
    """The exit code of a run over the file of jobs."""
    return main(["batch", str(path), *options])


def report(path: Path) -> dict[str, Any]:
    """The report of the last run."""
    return json.loads((path.with_name(f"{path.stem}_report") / "report.json").read_text(encoding="utf-8"))


def states(path: Path) -> list[str]:
    """What became of each job."""
    return [job["state"] for job in report(path)["jobs"]]


def frames(path: Path) -> NDArray[np.uint8]:
    """The decoded frames of a result."""
    return read_video(path, folder_fps=Fraction(1)).frames
