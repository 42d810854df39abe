"""A stretch of a clip as a file of its own, without loss, read and written frame by frame."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.media.frame_colour import Frames
from reelpatch.media.frame_reader import ClipHeader, FrameReader
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video


@dataclass(frozen=True)
class Stretch:
    """Frames `first` to before `end` of a clip."""

    first: int
    end: int


def stretch_between(header: ClipHeader, start_s: Fraction, duration_s: Fraction) -> Stretch:
    """The frames that begin from `start_s` of the file's own clock on, for `duration_s`, which is 0 for all the rest.

    Raises: `BadInput` where no frame begins there.
    """
    video, num_frames = header.video, header.num_frames
    begins = [video.start_s + (video.shown_s(index) if index else 0) for index in range(num_frames)]
    end_s = start_s + duration_s
    tolerance = 1 / (1000 * video.fps)  # seconds are typed, and carried as floats
    inside = [
        index
        for index, time in enumerate(begins)
        if time >= start_s - tolerance and (not duration_s or time < end_s - tolerance)
    ]
    if not inside:
        raise BadInput(
            f"no frame of {header.path.name} begins between {float(start_s):g} and {float(end_s):g} s: it has {num_frames} "
            f"frames and ends at {float(video.start_s + video.shown_s(num_frames)):g} s; choose another part of it."
        )
    return Stretch(inside[0], inside[-1] + 1)


def write_stretch(header: ClipHeader, part: Stretch, target: Path) -> None:
    """Writes that part with its times and its sound; `target` ends in .mkv, which keeps every bit.

    Raises: `BadInput` as `write_video`.
    """
    video, (first, end) = header.video, (part.first, part.end)
    begin_s = video.shown_s(first) if first else Fraction(0)
    cut = video.cut(end)
    times = cut.times_s and tuple(time - begin_s for time in cut.times_s[first:])
    moved: Video = replace(
        cut,
        times_s=times,
        start_s=video.start_s + begin_s,
        sound_end_s=video.shown_s(end) - begin_s,
    )
    write_video(moved, target, pictures=_Pictures(header, part))


@dataclass(frozen=True)
class _Pictures:
    """The frames of a stretch, one at a time."""

    header: ClipHeader
    part: Stretch

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.part.end - self.part.first, *self.header.video.frames.shape[1:])

    def __iter__(self) -> Iterator[Frames]:
        with closing(FrameReader(self.header.path, accept_damage=self.header.accept_damage)) as reader:
            for index in range(self.part.first, self.part.end):
                yield reader.part(index, index + 1)[0]
