"""Whole edits in ComfyUI at full size, ours against its own nodes: `python -m benchmarks.comfyui_gpu`.

832x480, 73 frames (`--frames`), 14B in fp8, Ditto's four steps. Finds ComfyUI as the host tests do (COMFYUI_PATH, COMFYUI_PYTHON).
Weights are random: a file of 17 GB is made in --folder and stays there for the next time. Contenders take turns, for which
a card of 48 GB holds all weights; on a smaller one each turn loads them anew, for both alike. `--tiny` needs no card; with `--card` it
takes one.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.inside_comfyui import ON_CPU, Absent, card_gib, run_inside

SUITE = "benchmarks.comfyui_edit"
NAMES = {
    "core": "ComfyUI's own nodes",
    "ours": "Reelpatch, the same settings",
    "fast": "Reelpatch, guidance at the first step alone",
}


def measure(
    folder: Path, caps: Sequence[float], frames: int, *, is_tiny: bool, is_on_cpu: bool
) -> dict[str, Any]:
    """The figures of a run without a cap, and of one for each cap in GiB."""
    size = ("tiny" if is_tiny else "full", str(frames))
    options = ON_CPU if is_on_cpu else ()
    total = 0.0 if is_on_cpu else card_gib()
    found: dict[str, Any] = {"machine": results.machine(), "free": _told(size, folder, 0, options)}
    for cap in caps:
        # ComfyUI plans by what the card has free, so it is told to leave alone what a smaller card would not have.
        reserved = () if is_on_cpu else ("--reserve-vram", f"{total - cap:.2f}")
        try:
            found[f"{cap:g} GiB"] = _told(size, folder, cap, (*options, *reserved))
        except results.Disagree as error:
            found[f"{cap:g} GiB"] = {"skipped": str(error).strip().splitlines()[-1]}
    return found


def _told(size: tuple[str, str], folder: Path, cap: float, options: Sequence[str]) -> dict[str, Any]:
    began = time.perf_counter()
    found = run_inside(SUITE, folder, size[0], f"{cap:g}", size[1], options=options)
    name = f"cap {cap:g} GiB" if cap else "no cap"
    sys.stderr.write(f"{name}: {time.perf_counter() - began:.0f} s\n")
    return found


def table(found: dict[str, Any], title: str) -> list[str]:
    """The figures as Markdown."""
    lines = [f"# {title}", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items() if value is not None]
    free = found["free"]
    frames, height, width = free["shape"]
    lines += [
        f"ComfyUI: torch {free['torch']}, {free['gpu'] or 'no GPU'}, DynamicVRAM {'on' if free['dynamic_vram'] else 'off'}  ",
        *(f"{width}x{height}, {frames} frames; latents differ by {free['difference']:.1e}", ""),
        "| cap | edit | seconds | encode, sample, decode | / ComfyUI's own | / without a cap | peak allocated | taken |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cap, run in found.items():
        if cap == "machine":
            continue
        if "skipped" in run:
            lines.append(f"| {cap} | not measured: {run['skipped']} | | | | | | |")
            continue
        for name, one in run["edits"].items():
            stages = ", ".join(f"{seconds:.2f}" for seconds in one["stages_s"].values())
            slowdown = one["median_s"] / free["edits"][name]["median_s"]
            lines.append(
                f"| {'none' if cap == 'free' else cap} | {NAMES[name]} | {one['median_s']:.2f} | {stages} | "
                f"{one['ratio']:.3f} ({one['ratio_p10']:.3f}-{one['ratio_p90']:.3f}) | {slowdown:.3f} | "
                f"{_gib(one['peak_allocated_gib'])} | {_gib(one['taken_gib'])} |"
            )
    return lines


def _gib(size: float | None) -> str:
    return "not measured" if size is None else f"{size:.2f} GiB"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tiny", action="store_true", help="the same at a size that any machine can run, on the CPU"
    )
    parser.add_argument("--card", action="store_true", help="with --tiny: on the card")
    parser.add_argument(
        "--frames", type=int, metavar="N", help="length of the clip, 4n + 1 (73; 9 with --tiny)"
    )
    parser.add_argument(
        "--caps",
        type=float,
        nargs="*",
        default=(24.0, 16.0, 12.0, 8.0, 6.0),
        metavar="GIB",
        help="sizes of smaller cards to play (24 16 12 8 6)",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the weights are kept (a temporary one)"
    )
    parser.add_argument("--out", type=Path, default=results.FOLDER, metavar="DIR", help="where results go")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            found = measure(
                folder,
                options.caps,
                options.frames or (9 if options.tiny else 73),
                is_tiny=options.tiny,
                is_on_cpu=options.tiny and not options.card,
            )
        except Absent as reason:
            parser.error(str(reason))
    title = "Tiny sizes: these figures say nothing of speed" if options.tiny else "Edits in ComfyUI on a GPU"
    lines = table(found, title)
    results.write("comfyui_gpu_tiny" if options.tiny else "comfyui_gpu", found, lines, options.out)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
