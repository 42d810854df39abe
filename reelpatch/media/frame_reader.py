"""Clips of any length, read as their frames are needed: no more of them is in memory than a window holds."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from reelpatch.clips.frames import Size
from reelpatch.errors import BadInput
from reelpatch.media.damage import Damage
from reelpatch.media.decoding import decoded_frames, main_stream
from reelpatch.media.frame_colour import ColourReader, Frames
from reelpatch.media.frame_times import shown_s
from reelpatch.media.opening import opened
from reelpatch.media.video_io import Video, folder_frames, folder_pixel_aspect, header_of


@dataclass(frozen=True)
class ClipHeader:
    """What is known of a clip that was looked through once; `video` is all of it but the pictures.

    `accept_damage`: frames that decode with errors are taken as they are.
    """

    path: Path
    num_frames: int
    size: Size
    video: Video
    accept_damage: bool | None = None


def look_through(path: Path, *, folder_fps: Fraction, accept_damage: bool | None = None) -> ClipHeader:
    """Decodes a clip once from end to end, keeping one picture, so that damage is found before any work is done.

    Raises: `BadInput` as `read_video`.
    """
    if not path.exists():
        raise BadInput(f"there is no clip {path}: check the path.")
    if path.is_dir():
        pictures = folder_frames(path)
        first = next(pictures)
        num_frames = 1 + sum(1 for _ in pictures)
        video = Video(first[None], folder_fps, pixel_aspect=folder_pixel_aspect(path))
        return ClipHeader(path, num_frames, (first.shape[0], first.shape[1]), video)
    reader, damage = ColourReader(path, is_quiet=True), Damage(path, accept_damage)
    with opened(path) as container:
        stream = main_stream(container, path)
        frames = decoded_frames(container, stream, path, damage)
        last = next(frames)
        first, pts = reader.upright(last), [last.pts]
        for last in frames:
            pts.append(last.pts)
        damage.judge()
        video = header_of(container, stream, (pts, shown_s(last, stream)), first[None], reader.way_up, path)
    return ClipHeader(path, len(pts), (first.shape[0], first.shape[1]), video, accept_damage)


class FrameReader:
    """The frames of a clip, asked for in parts that never begin before the part before: each is decoded once.

    `frames` are read in place of those of `path`, where they are given.
    """

    def __init__(
        self, path: Path, frames: Generator[Any] | None = None, *, accept_damage: bool | None = None
    ) -> None:
        self._frames = frames or (folder_frames(path) if path.is_dir() else _pictures(path, accept_damage))
        self._held: deque[Frames] = deque()
        self._first = 0  # number of the first frame held

    def part(self, first: int, end: int) -> Frames:
        """Frames `first` to before `end`, [n, H, W, 3]."""
        while self._first < first:
            if self._held:
                self._held.popleft()
            else:
                next(self._frames)
            self._first += 1
        while len(self._held) < end - first:
            self._held.append(next(self._frames))
        return np.stack([self._held[index] for index in range(end - first)])

    def close(self) -> None:
        """Lets go of the file."""
        self._frames.close()


def _pictures(path: Path, accept_damage: bool | None) -> Generator[Frames]:
    reader = ColourReader(path)
    damage = Damage(path, is_accepted=True) if accept_damage else None
    with opened(path) as container:
        stream = main_stream(container, path)
        for frame in reader.shown(container, stream, decoded_frames(container, stream, path, damage)):
            yield reader.upright(frame)
