"""Two films in one, written frame by frame, so that clips of any length are shown side by side."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.stacked_pair import Stack, stack
from reelpatch.errors import BadInput
from reelpatch.media.frame_colour import Frames
from reelpatch.media.frame_reader import ClipHeader, FrameReader, look_through
from reelpatch.media.video_write import write_video


@dataclass(frozen=True, eq=False)
class StackedFiles:
    """How both lie in the film: `look` is that of its first frame; `source` is the (height, width) that the clips have."""

    look: Stack
    num_frames: int
    source: tuple[int, int]
    fps: Fraction


def stacked_files(
    before: Path, after: Path, target: Path, *, crf: int, fps: Fraction | None = None
) -> StackedFiles:
    """Writes both as one film, with the sound of `after`, or of `before` where that has none.

    Frames that decode with errors are shown as they are. `fps` is another rate for both.

    Raises: `BadInput` for clips that differ in length or size, and as `look_through` and `write_video`.
    """
    first, second = (
        look_through(path, folder_fps=Fraction(16), accept_damage=True) for path in (before, after)
    )
    if (first.num_frames, first.size) != (second.num_frames, second.size):
        raise BadInput(
            f"before has {_measure(first)} and after {_measure(second)}: connect two clips of one length and size."
        )
    look = _stacked(first.video.frames[0], second.video.frames[0])
    pictures = _Pictures(first, second, tuple(look.frames.shape[1:]))
    film = second.video if second.video.audio else replace(second.video, audio=first.video.audio)
    film = replace(film, frames=to_bytes(look.frames), pixel_aspect=Fraction(1))
    if fps:
        film = replace(film, fps=fps, times_s=None, last_s=None)
    write_video(film, target, crf=crf, pictures=pictures)
    return StackedFiles(look, first.num_frames, first.size, film.fps)


@dataclass(frozen=True)
class _Pictures:
    """Both films, one frame at a time."""

    before: ClipHeader
    after: ClipHeader
    size: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.before.num_frames, *self.size)

    def __iter__(self) -> Iterator[Frames]:
        readers = [FrameReader(one.path, accept_damage=True) for one in (self.before, self.after)]
        with closing(readers[0]), closing(readers[1]):
            for index in range(self.before.num_frames):
                first, second = (reader.part(index, index + 1)[0] for reader in readers)
                yield to_bytes(_stacked(first, second).frames)[0]


def _stacked(before: Frames, after: Frames) -> Stack:
    with torch.inference_mode():
        return stack(to_floats(before[None]), to_floats(after[None]))


def _measure(clip: ClipHeader) -> str:
    height, width = clip.size
    return f"{clip.num_frames} frame{'s' * (clip.num_frames != 1)} of {width}x{height}"
