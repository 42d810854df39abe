"""Two films in one, written frame by frame, so that clips of any length are shown side by side."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.cover import cover
from reelpatch.clips.shown_beside import Measures, ShownBeside, shown_beside
from reelpatch.clips.stacked_pair import Stack, stack
from reelpatch.media.frame_colour import Frames
from reelpatch.media.frame_reader import ClipHeader, FrameReader, look_through
from reelpatch.media.video_write import write_video


@dataclass(frozen=True, eq=False)
class StackedFiles:
    """How both lie in the film: `look` is that of its first frame; `source` is the (height, width) of the second clip.

    `told` is what of the first one is not shown as it is, in one sentence; empty where both are alike.
    """

    look: Stack
    num_frames: int
    source: tuple[int, int]
    fps: Fraction
    told: str


def stacked_files(
    before: Path, after: Path, target: Path, *, crf: int, fps: Fraction | None = None
) -> StackedFiles:
    """Writes both as one film, with the sound of `after`, or of `before` where that has none and both are of one length.

    Frames that decode with errors are shown as they are; `before` is fitted to `after`. `fps` is another rate for both.

    Raises: as `look_through` and `write_video`.
    """
    first, second = (
        look_through(path, folder_fps=Fraction(16), accept_damage=True) for path in (before, after)
    )
    beside = shown_beside(_measures(first), _measures(second))
    look = _stacked(first.video.frames[0], second.video.frames[0])
    pictures = _Pictures(first, second, beside, tuple(look.frames.shape[1:]))
    is_as_long = first.num_frames == second.num_frames
    film = second.video
    if not film.audio and is_as_long:
        film = replace(film, audio=first.video.audio)
    film = replace(film, frames=to_bytes(look.frames), pixel_aspect=Fraction(1))
    if fps:
        film = replace(film, fps=fps, times_s=None, last_s=None)
    write_video(film, target, crf=crf, pictures=pictures)
    return StackedFiles(look, second.num_frames, second.size, film.fps, beside.told)


@dataclass(frozen=True)
class _Pictures:
    """Both films, one frame at a time."""

    before: ClipHeader
    after: ClipHeader
    beside: ShownBeside
    size: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.after.num_frames, *self.size)

    def __iter__(self) -> Iterator[Frames]:
        readers = [FrameReader(one.path, accept_damage=True) for one in (self.before, self.after)]
        with closing(readers[0]), closing(readers[1]):
            for index, pick in enumerate(self.beside.picks):
                first = readers[0].part(pick, pick + 1)[0]
                second = readers[1].part(index, index + 1)[0]
                yield to_bytes(_stacked(first, second).frames)[0]


def _stacked(before: Frames, after: Frames) -> Stack:
    with torch.inference_mode():
        second = to_floats(after[None])
        height, width = second.shape[1:3]
        return stack(cover(to_floats(before[None]), (height, width)), second)


def _measures(clip: ClipHeader) -> Measures:
    return Measures(clip.num_frames, clip.size, clip.video.fps)
