"""Windows whose reading and keeping take as long as the work on them: `python -m benchmarks.side_by_side`.

A reader, a store and a model that sleep stand in, for 10 windows of a small clip. Once side by side, as a long run makes them, and once one
after the other. Prints both times and their ratio, after comparing the pictures bit for bit; the bar of 0.5 is the project's own.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from benchmarks.results import Disagree
from reelpatch.families.wan.family import WAN
from reelpatch.media.frame_reader import FrameReader
from reelpatch.media.video_io import Frames, Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress, silent
from reelpatch.windows import window_run
from reelpatch.windows.window_run import CutClip, WindowJob, WindowOptions, find_windows, run_windows
from reelpatch.windows.window_store import FinishedWindow, WindowStore

WINDOWS, LENGTH, OVERLAP = 10, 9, 5
BAR = 0.5


@contextmanager
def slow(seconds: float) -> Generator[None]:
    """Parts are read, and windows kept, by stand-ins that take so long for each."""

    class SlowReader(FrameReader):
        def part(self, first: int, end: int) -> Frames:
            time.sleep(seconds)
            return super().part(first, end)

    class SlowStore(WindowStore):
        def add(self, number: int, window: FinishedWindow) -> None:
            time.sleep(seconds)
            super().add(number, window)

    with mock.patch.multiple(window_run, FrameReader=SlowReader, WindowStore=SlowStore):
        yield


def clip_of_ten_windows(folder: Path) -> CutClip:
    frames = LENGTH + (WINDOWS - 1) * (LENGTH - OVERLAP)
    noise = np.random.default_rng(0).integers(0, 256, (frames, 32, 32, 3), dtype=np.uint8)
    path = folder / "clip.mkv"
    write_video(Video(noise, Fraction(8)), path)
    options = WindowOptions(LENGTH, OVERLAP, None)
    return find_windows(path, options, lattice=WAN.lattice, usual=LENGTH, folder_fps=Fraction(8))


def worker(seconds: float) -> window_run.Work:
    """A stand-in for a model, that gives back what it is given and hands its last frames on."""

    def work(job: WindowJob, _on_progress: OnProgress) -> FinishedWindow:
        time.sleep(seconds)
        made = job.pictures.copy()
        if job.window.overlap:
            made[: job.window.overlap] = job.carried["pictures"].numpy() // 2
        tail = {"pictures": torch.from_numpy(made[len(made) - job.keep :].copy())} if job.keep else {}
        return FinishedWindow(made[job.window.overlap :], tail)

    return work


def side_by_side(clip: CutClip, folder: Path, seconds: float) -> tuple[float, Frames]:
    """The seconds it took, and the pictures of the result."""
    with slow(seconds):
        began = time.perf_counter()
        run_windows(clip, folder / "x.mkv", {}, worker(seconds), silent)
        took = time.perf_counter() - began
    return took, read_video(folder / "x.mkv", folder_fps=clip.fps).frames


def in_turn(clip: CutClip, folder: Path, seconds: float) -> tuple[float, Frames]:
    """The same, each window read, made and kept before the next."""
    work = worker(seconds)
    with slow(seconds):
        began = time.perf_counter()
        store = window_run.WindowStore(folder / "y.mkv", {})
        store.open()
        with closing(window_run.FrameReader(clip.header.path)) as reader:
            for number, window in enumerate(clip.plan.windows):
                carried = store.carried(number - 1) if number else {}
                pictures = reader.part(window.first, min(window.end, clip.plan.clip_frames))
                is_last = number + 1 == len(clip.plan.windows)
                keep = 0 if is_last else clip.plan.windows[number + 1].overlap
                store.add(number, work(WindowJob(number, pictures, window, carried, keep), silent))
        made = np.stack([one for number in range(WINDOWS) for one in store.pictures(number)])
        write_video(replace(clip.result, frames=made), folder / "y.mkv")
        took = time.perf_counter() - began
    return took, read_video(folder / "y.mkv", folder_fps=clip.fps).frames


def measure(seconds: float) -> tuple[float, float]:
    """The seconds of both. Raises: `Disagree` where they do not make the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = clip_of_ten_windows(folder)
        (beside, made), (after, expected) = (way(clip, folder, seconds) for way in (side_by_side, in_turn))
    if len(clip.plan.windows) != WINDOWS or not np.array_equal(made, expected):
        raise Disagree("the pictures differ, so that no times are reported.")
    return beside, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="that each takes (%(default)s)")
    beside, after = measure(parser.parse_args().seconds)
    ratio = beside / after
    sys.stdout.write(
        f"{WINDOWS} windows: {beside:.2f} s side by side, {after:.2f} s in turn, ratio {ratio:.3f}, bar {BAR}: "
        f"{'met' if ratio <= BAR else 'NOT met'}; the same pictures\n"
    )


if __name__ == "__main__":
    main()
