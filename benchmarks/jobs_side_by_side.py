"""Jobs of a batch two at a time against one after the other: `python -m benchmarks.jobs_side_by_side`.

Demo edits whose clips take so long to read, whose models take so long, and whose results take so long to write, as `--read`, `--denoise`
and `--write` say: seconds of sleep before each, as a card and a slow disk would take them from nobody else. With 0 for all it is the demo alone, where
all three want the same processor. Prints times of both ways and their ratio, after comparing the results bit for bit.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks import results
from benchmarks.demo_jobs import check, difference, job_file
from reelpatch.headless.commands.main import main as reelpatch
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.runs import edit, enhance
from reelpatch.headless.runs.batch import run
from reelpatch.windows import window_run

PLACES = {
    "read": ((edit, "cut_clip"), (enhance, "cut_clip")),
    "denoise": ((Editor, "render"), (Enhancer, "denoised")),
    "write": ((window_run, "write_video"),),
}


@contextmanager
def slow(seconds: dict[str, float]) -> Generator[None]:
    """Parts of a job take so much longer."""

    def later(real: Callable[..., Any], wait_s: float) -> Callable[..., Any]:
        def slowly(*args: Any, **options: Any) -> Any:
            time.sleep(wait_s)
            return real(*args, **options)

        return slowly

    patches = [
        mock.patch.object(where, name, later(getattr(where, name), seconds[part]))
        for part, places in PLACES.items()
        for where, name in places
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def batch(folder: Path, number: int, at_once: int, seconds: dict[str, float]) -> tuple[float, float]:
    """Wall and processor seconds of a batch in this process."""
    folder.mkdir()
    path = job_file(folder, number)
    with slow(seconds), mock.patch.object(run, "at_once", return_value=at_once):
        began, began_cpu = time.perf_counter(), time.process_time()
        check(reelpatch(["batch", str(path)]), folder)
        return time.perf_counter() - began, time.process_time() - began_cpu


def both(number: int, seconds: dict[str, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Wall and processor seconds in turn, and side by side. Raises: `Disagree` where the results are not the same bits."""
    with tempfile.TemporaryDirectory() as top:
        one, other = Path(top) / "turn", Path(top) / "beside"
        after, beside = batch(one, number, 1, seconds), batch(other, number, run.AT_ONCE, seconds)
        if off := difference(one, other, number, ".mkv"):
            raise results.Disagree(f"results differ by {off} of 255, so that no times are reported.")
    return after, beside


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=12)
    for part in PLACES:
        parser.add_argument(f"--{part}", type=float, default=2, metavar="SECONDS", help="(%(default)s)")
    options = parser.parse_args()
    seconds = {part: getattr(options, part) for part in PLACES}
    torch.set_num_threads(1)
    (after, after_cpu), (beside, beside_cpu) = both(options.jobs, seconds)
    sys.stdout.write(
        f"{options.jobs} jobs, each with {options.read:g} s to read, {options.denoise:g} s to denoise and {options.write:g} s to write: "
        f"{beside:.1f} s side by side, {after:.1f} s in turn, ratio {beside / after:.2f}; processor {beside_cpu:.1f} and "
        f"{after_cpu:.1f} s; the same results\n"
    )


if __name__ == "__main__":
    main()
