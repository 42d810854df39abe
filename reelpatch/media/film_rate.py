"""How many frames a film shows a second, within what every form of output can say."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from reelpatch.errors import BadInput

SLOWEST_S, FASTEST_FPS = (
    20_000,
    90_000,
)  # an mp4's clock of 90 kHz counts to 2^31 within a frame, and no finer
_MOST = 2**31 - 1  # of what FFmpeg has for either half of a fraction


def check_rate(fps: Fraction, times_s: tuple[Fraction, ...] | None, path: Path) -> None:
    """Raises: `BadInput` for a film whose rate, or longest pause, cannot be written."""
    longest_s = max([1 / fps, *(end - begin for begin, end in pairwise(times_s or ()))])
    if longest_s <= SLOWEST_S and fps <= FASTEST_FPS:
        return
    rate = f"{float(fps):g} frames a second" if fps > 1 else f"one frame for {float(longest_s):g} s"
    raise BadInput(
        f"{path} shows {rate}; what can be written is one frame in {SLOWEST_S} s to {FASTEST_FPS} a second: convert it to "
        "another rate."
    )


def as_written(fps: Fraction) -> Fraction:
    """The rate, or the nearest one that FFmpeg has a number for."""
    if max(fps.numerator, fps.denominator) <= _MOST:
        return fps
    return fps.limit_denominator(max(1, min(_MOST, int(_MOST / fps)) // 2))
