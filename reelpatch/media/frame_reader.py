"""Clips of any length, read as their frames are needed: no more of them is in memory than a window holds."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from reelpatch.clips.frames import Size
from reelpatch.errors import BadInput
from reelpatch.media.frame_colour import ColourReader, Frames
from reelpatch.media.video_io import Video, decoded_frames, folder_frames, header_of, opened


@dataclass(frozen=True)
class ClipHeader:
    """What is known of a clip that was looked through once; `video` is all of it but the pictures."""

    path: Path
    num_frames: int
    size: Size
    video: Video


def look_through(path: Path, *, folder_fps: Fraction) -> ClipHeader:
    """Decodes a clip once from end to end, keeping one picture, so that damage is found before any work is done.

    Raises: `BadInput` as `read_video`.
    """
    if not path.exists():
        raise BadInput(f"there is no clip {path}: check the path.")
    if path.is_dir():
        pictures = folder_frames(path)
        first = next(pictures)
        num_frames = 1 + sum(1 for _ in pictures)
        return ClipHeader(path, num_frames, (first.shape[0], first.shape[1]), Video(first[None], folder_fps))
    with opened(path) as container:
        if not container.streams.video:
            raise BadInput(f"{path} holds no video stream: give a video file, a GIF or a folder of images.")
        stream = container.streams.video[0]
        frames = decoded_frames(container, stream, path)
        frame = next(frames)
        first = ColourReader(path, is_quiet=True).upright(frame)
        pts = [frame.pts, *(frame.pts for frame in frames)]
        video = header_of(container, stream, pts, first[None], path)
    return ClipHeader(path, len(pts), (first.shape[0], first.shape[1]), video)


class FrameReader:
    """The frames of a clip, asked for in parts that never begin before the part before: each is decoded once."""

    def __init__(self, path: Path) -> None:
        self._frames = folder_frames(path) if path.is_dir() else _pictures(path)
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


def _pictures(path: Path) -> Generator[Frames]:
    reader = ColourReader(path)
    with opened(path) as container:
        for frame in decoded_frames(container, container.streams.video[0], path):
            yield reader.upright(frame)
