"""Whole edits by the command line as on smaller cards, beside what `reelpatch plan` says of them: `python -m benchmarks.cards`.

Ditto on a clip of 832x480 and 73 frames from mp4 to mp4, all files at full size, under `--vram-limit`. The weights are zeros in
files that take no room, so that nothing is downloaded: memory is that of any weights, the seconds are none to go by. Other work on
the card counts as taken: let none be there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import results
from benchmarks.full_size_files import write_ditto
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video

CAPS_GIB = (12.0, 8.0, 6.0)
STEPS = 1
Section = dict[str, Any]


def write_clip(path: Path, frames: int, size: tuple[int, int]) -> None:
    """Soft colours that move, as (height, width)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    clip = np.stack(
        [
            np.stack([(rows + 3 * at) % 256, (columns + 2 * at) % 256, (rows + columns) % 256], axis=-1)
            for at in range(frames)
        ]
    ).astype(np.uint8)
    write_video(Video(clip, Fraction(16)), path)


def measure(folder: Path, caps: Sequence[float], frames: int, size: tuple[int, int]) -> Section:
    """The plan and the run under each cap in GiB."""
    write_ditto(folder)
    clip = folder / "clip.mp4"
    write_clip(clip, frames, size)
    found: Section = {"machine": results.machine(), "frames": frames, "size": [*size], "caps": {}}
    for cap in caps:
        found["caps"][f"{cap:g} GiB"] = _under(folder, clip, cap, frames)
        sys.stderr.write(f"{cap:g} GiB: {json.dumps(found['caps'][f'{cap:g} GiB'])}\n")
    return found


def _under(folder: Path, clip: Path, cap: float, frames: int) -> Section:
    common = ("--recipe", "ditto-global", "--models", str(folder), "--frames", str(frames), "--json")
    planned = _run("reelpatch", "plan", str(clip), *common, "--vram", f"{cap:g}", "--steps", str(STEPS))
    plan = json.loads(planned.stdout)["machines"][0] if not planned.returncode else {}
    out = folder / f"{cap:g}.mp4"
    ran = _run(
        *("benchmarks.card_edit", str(clip), "make it", *common, "--steps", str(STEPS)),
        *("--device", "cuda", "--vram-limit", f"{cap:g}", "--output", str(out), "--no-text-cache"),
    )
    if ran.returncode:
        return {"plan": plan, "skipped": (ran.stderr.strip() or ran.stdout.strip()).splitlines()[-1]}
    return {"plan": plan, **json.loads(ran.stdout)}


def _run(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )


def table(found: Section) -> list[str]:
    """The figures as Markdown."""
    lines = ["# Whole edits as on smaller cards", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items() if value is not None]
    height, width = found["size"]
    lines += [
        f"Ditto, {width}x{height}, {found['frames']} frames, {STEPS} of its 4 steps, weights of zeros  ",
        "",
        "| card | blocks streamed | plan's peak | peak allocated | peak reserved | taken from the card |",
        "|---|---|---|---|---|---|",
    ]
    for cap, one in found["caps"].items():
        if "skipped" in one:
            lines.append(f"| {cap} | not measured: {one['skipped']} | | | | |")
            continue
        plan = one["plan"]
        streamed = f"{plan['offloaded']['blocks']} of {plan['offloaded']['of_blocks']}"
        lines.append(
            f"| {cap} | {streamed} | {plan['peak_gib']:.2f} GiB ({plan['peak_stage']}) | {one['allocated_gib']:.2f} GiB | "
            f"{one['reserved_gib']:.2f} GiB | {one['taken_gib']:.2f} GiB |"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        *("--caps", "-c"),
        type=float,
        nargs="*",
        default=CAPS_GIB,
        metavar="GIB",
        help="sizes of cards to play (12 8 6)",
    )
    parser.add_argument("--frames", type=int, default=73, help="length of the clip, 4n + 1 (%(default)s)")
    parser.add_argument("--out", type=Path, default=results.FOLDER, metavar="DIR", help="where results go")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device here.")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.caps, options.frames, (480, 832))
    lines = table(found)
    results.write("cards", found, lines, options.out)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
