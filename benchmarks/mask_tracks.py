"""How fast a mask track is drawn: `python -m benchmarks.mask_tracks`. 20 regions of 50 keyframes, 1000 frames of 832x480.

Every frame by itself, in one process and in one for each of two cores; frames need nothing of each other. What is drawn is
the same, which is checked.
"""

import hashlib
import multiprocessing
import os
import time
from fractions import Fraction
from random import Random

import torch

from benchmarks import results
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import (
    Box,
    Dissolve,
    Ellipse,
    Envelope,
    Grow,
    Keyframe,
    Linear,
    MaskTrack,
    Polygon,
    Region,
    Shape,
    Stroke,
    Wipe,
)
from reelpatch.clips.mask_track.render import TrackRenderer

FRAMES, SIZE = 1000, (480, 832)
REGIONS, KEYFRAMES, CORES = 20, 50, 2
BAR = 200


def track() -> MaskTrack:
    """Every kind of shape, moved, scaled, faded and half of them turned all the time; every third comes by a ramp."""
    draw = Random(0)
    return MaskTrack(1, "fractions", "frames", tuple(_region(number, draw) for number in range(REGIONS)))


def _region(number: int, draw: Random) -> Region:
    keys = tuple(
        Keyframe(
            Fraction(index * FRAMES, KEYFRAMES),
            position=(draw.random(), draw.random()),
            size=(draw.uniform(0.1, 0.25), draw.uniform(0.1, 0.25)),
            rotation=draw.uniform(0, 360) if number % 2 else None,
            value=draw.uniform(0.5, 1),
        )
        for index in range(KEYFRAMES)
    )
    ramps = (
        Linear(Fraction(300)),
        Wipe(Fraction(300), 30),
        Grow(Fraction(300), (0.5, 0.5)),
        Dissolve(Fraction(300), 3),
    )
    envelope = Envelope(Fraction(0), ramps[number // 3 % 4]) if number % 3 == 0 else Envelope()
    mode = "subtract" if number % 5 == 4 else "add"
    return Region(_shape(number, draw), mode=mode, envelope=envelope, keyframes=keys)


def _shape(number: int, draw: Random) -> Shape:
    kind = number % 5
    if kind < 2:
        return Box((0.5, 0.5), (0.2, 0.2))
    if kind == 2:
        return Ellipse((0.5, 0.5), (0.2, 0.2))
    if kind == 3:
        return Polygon(((0.4, 0.4), (0.5, 0.35), (0.6, 0.45), (0.55, 0.6), (0.5, 0.55), (0.42, 0.6)))
    return Stroke(tuple((draw.random(), draw.random()) for _ in range(6)), 0.03)


def drawn(part: tuple[int, int]) -> str:
    """Draws frames from one to before another; what they are, as a digest of the last one."""
    torch.set_num_threads(1)
    renderer = TrackRenderer(track(), SIZE, Moments(FRAMES, Fraction(16)))
    mask = torch.empty(0)
    for number in range(*part):
        mask = renderer.frame(number)
    return hashlib.sha256(mask.numpy().tobytes()).hexdigest()


def main() -> None:
    """Measures, and writes results/mask_tracks.json and .md."""
    begun, processor = time.perf_counter(), time.process_time()
    whole = drawn((0, FRAMES))
    alone, of_processor = time.perf_counter() - begun, time.process_time() - processor
    half = FRAMES // CORES
    with multiprocessing.get_context("spawn").Pool(CORES) as pool:
        pool.map(drawn, [(0, 1)] * CORES, chunksize=1)
        begun = time.perf_counter()
        parts = pool.map(drawn, [(first, first + half) for first in range(0, FRAMES, half)], chunksize=1)
        both = time.perf_counter() - begun
    if parts[-1] != whole:
        raise results.Disagree("the last frame is not the same from the middle as from the beginning")
    found = {
        "frames_per_s": FRAMES / alone,
        "frames_per_processor_s": FRAMES / of_processor,
        f"frames_per_s_on_{CORES}_cores": FRAMES / both,
        "bar": BAR,
    }
    machine = results.machine()
    lines = [
        "# Drawing a mask track",
        "",
        *(f"{name}: {value}  " for name, value in machine.items() if value is not None),
    ]
    lines += [
        "",
        f"{REGIONS} regions of {KEYFRAMES} keyframes, {FRAMES} frames of {SIZE[1]}x{SIZE[0]}: {CORES} cores {FRAMES / both:.0f} frames/s "
        f"(bar {BAR}), one process {FRAMES / alone:.0f}, by the seconds that the processor gave it {FRAMES / of_processor:.0f}.",
    ]
    path = results.write("mask_tracks", {"machine": machine, **found}, lines)
    print(path.read_text(encoding="utf-8"))  # noqa: T201


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
