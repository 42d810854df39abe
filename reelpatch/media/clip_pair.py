"""A clip and what became of it, read together."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.media.video_io import Frames, Video, read_video


@dataclass(frozen=True, eq=False)
class Pair:
    """Two clips of one length and size; rate, times and sound are those of `before`."""

    before: Video
    after: Frames


def read_pair(before: Path, after: Path, *, folder_fps: Fraction = Fraction(24)) -> Pair:
    """Both clips. `folder_fps` is the rate of folders of images.

    Raises: BadInput for clips that cannot be read, or differ in length or size.
    """
    first, second = (read_video(path, folder_fps=folder_fps) for path in (before, after))
    if first.frames.shape != second.frames.shape:
        raise BadInput(
            f"BEFORE ({before}) has {_measure(first.frames)} and AFTER ({after}) {_measure(second.frames)}: "
            "give two clips of one length and size."
        )
    return Pair(first, second.frames)


def _measure(clip: Frames) -> str:
    frames, height, width, _ = clip.shape
    return f"{frames} frame{'s' * (frames != 1)} of {width}x{height}"
