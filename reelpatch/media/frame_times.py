"""When the frames of a film are shown: at a fixed rate, or each at a time of its own."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelpatch.media.film_rate import SLOWEST_S

# Frames that stand within this part of a frame from where a fixed rate would put them have a fixed rate.
_EVEN = Fraction(1, 10)


def frame_times(
    pts: Sequence[int | None], stream: VideoStream, fps: Fraction
) -> tuple[Fraction, tuple[Fraction, ...] | None]:
    """When the first frame is shown, and when each is after it where that is not at a fixed rate.

    A clock that is coarse next to the rate (Matroska's milliseconds at 240 fps) leaves a fixed rate fixed; frames with one
    time share what is left until the next one.
    Units: seconds.
    """
    known = [value for value in pts if value is not None]
    if len(known) < len(pts) or stream.time_base is None:
        return Fraction(0), None
    tick = stream.time_base
    start = known[0] * tick
    times = tuple(value * tick - start for value in known)
    # Rounding to the clock moves each frame by half a tick, and the first one too, from which they are counted.
    is_rounded = (1 / fps / tick).denominator != 1
    slack = max(_EVEN, fps * tick) if is_rounded else _EVEN
    if all(abs(time * fps - index) <= slack for index, time in enumerate(times)):
        return start, None
    if any(one > other for one, other in pairwise(times)):
        return start, None
    return start, _apart(times, 1 / fps)


def shown_s(frame: VideoFrame, stream: VideoStream) -> Fraction:
    """For how many seconds a decoded frame is shown; 0 where its file does not say."""
    return max(frame.duration or 0, 0) * (stream.time_base or Fraction(0))


def is_longer(last_s: Fraction, fps: Fraction, stream: VideoStream) -> bool:
    """Whether the last frame is shown for longer than the others, by more than the film's clock can be off."""
    slack = max(_EVEN, fps * (stream.time_base or 0))
    return (1 + slack) / fps < last_s <= SLOWEST_S  # what is said beyond that, no film can hold


def _apart(times: Sequence[Fraction], frame_s: Fraction) -> tuple[Fraction, ...]:
    """Rising times: of frames with one time, the later ones are spread over the time until the next one."""
    spread: list[Fraction] = []
    first = 0
    while first < len(times):
        end = first
        while end < len(times) and times[end] == times[first]:
            end += 1
        until = times[end] if end < len(times) else times[first] + frame_s
        spread += [
            times[first] + (until - times[first]) * part / (end - first) for part in range(end - first)
        ]
        first = end
    return tuple(spread)
