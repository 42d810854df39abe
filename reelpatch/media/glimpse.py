"""Single frames of a film, small and at once, for people to look at: whoever edits reads the film from end to end."""

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from reelpatch.clips.frames import Size
from reelpatch.errors import BadInput
from reelpatch.media.decoding import main_stream
from reelpatch.media.frame_colour import ColourReader, Frames
from reelpatch.media.opening import opened

_STEP_PX = 16  # frames of a strip begin at whole blocks of JPEG, so that none bleeds into the next
_QUALITY = 85
_SMALL_PX = 256 * 256


@dataclass(frozen=True)
class FilmIndex:
    """The frames of a film in the order they are shown, without their pictures.

    Units: `size` = (height, width) upright; `pts` in ticks of the stream, one for each frame.
    """

    size: Size
    fps: Fraction
    pts: tuple[int, ...]

    @property
    def num_frames(self) -> int:
        """Of the film."""
        return len(self.pts)


def index_film(path: Path) -> FilmIndex:
    """Reads when the frames of a film are shown, and decodes the first of them.

    Raises: `BadInput` as `opened` and `main_stream`, and for a film without frames or without times.
    """
    with opened(path) as container:
        stream = main_stream(container, path)
        pts = _times(container, stream, path)
        rate = stream.average_rate
    height, width, _ = _picture_from(path, pts[0]).shape
    return FilmIndex((height, width), Fraction(rate) if rate else Fraction(1), tuple(pts))


def middle_frame(path: Path, most_px: int) -> bytes:
    """The frame in the middle of a film as a JPEG, no side longer than `most_px`. Raises: `BadInput` as `index_film`."""
    with opened(path) as container:
        stream = main_stream(container, path)
        pts = _times(container, stream, path)
        picture = _first(_upright(container, stream, path, pts[len(pts) // 2]), path)
    (height, width), _ = strip_size((picture.shape[0], picture.shape[1]), most_px)
    return _jpeg(_small(picture, height, width))


def strip_size(size: Size, most_px: int) -> tuple[Size, int]:
    """How large frames of `size` are in a strip, no side longer than `most_px`, and how far one begins below the other."""
    height, width = size
    share = min(1.0, most_px / max(size))
    small = (max(1, round(height * share)), max(1, round(width * share)))
    return small, -(-small[0] // _STEP_PX) * _STEP_PX


def film_strip(path: Path, index: FilmIndex, first: int, count: int, most_px: int) -> bytes:
    """Frames `first` to before `first + count`, one below the other, as a JPEG; a frame that is missing is black."""
    (height, width), step = strip_size(index.size, most_px)
    strip = np.zeros((step * count, width, 3), np.uint8)
    places = {pts: place for place, pts in enumerate(index.pts[first : first + count])}
    last = index.pts[min(first + count, index.num_frames) - 1]
    for pts, picture in _pictures(path, index.pts[first]):
        if pts in places:
            top = places[pts] * step
            small = _small(picture, height, width)
            strip[top : top + height] = small
            strip[top + height : top + step] = small[-1]
        if pts >= last:
            break
    return _jpeg(strip)


def _times(container: InputContainer, stream: VideoStream, path: Path) -> list[int]:
    """When frames are shown, in order."""
    pts = sorted(packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None)
    if not pts:
        raise BadInput(f"{path} has no frames with times to look at: convert it to mp4, mov, mkv or webm.")
    return pts


def _picture_from(path: Path, from_pts: int) -> Frames:
    """The first frame from a time on that can be decoded."""
    return _first(_pictures(path, from_pts), path)


def _first(pictures: Iterator[tuple[int, Frames]], path: Path) -> Frames:
    _, picture = next(pictures, (0, None))
    if picture is None:
        raise BadInput(f"no frame of {path} can be decoded: the file is damaged, get it again.")
    return picture


def _small(picture: Frames, height: int, width: int) -> Frames:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX, reducing_gap=2))


def _jpeg(picture: Frames) -> bytes:
    held = BytesIO()
    Image.fromarray(picture).save(held, "JPEG", quality=_QUALITY)
    return held.getvalue()


def _pictures(path: Path, from_pts: int) -> Generator[tuple[int, Frames]]:
    """The frames from a time on, with their times, upright."""
    with opened(path) as container:
        yield from _upright(container, main_stream(container, path), path, from_pts)


def _upright(
    container: InputContainer, stream: VideoStream, path: Path, from_pts: int
) -> Generator[tuple[int, Frames]]:
    reader = ColourReader(path, is_quiet=True)
    # Of small pictures, threads cost more than they save: each begins a frame of its own before the first is given.
    stream.thread_type = "AUTO" if stream.width * stream.height > _SMALL_PX else "NONE"
    for frame in _decoded(container, stream, from_pts):
        if frame.pts is not None and frame.pts >= from_pts:
            yield frame.pts, reader.upright(frame)


def _decoded(container: InputContainer, stream: VideoStream, from_pts: int) -> Generator[VideoFrame]:
    """Decoded frames from the last one before a time that can be begun with; what is damaged is passed over."""
    container.seek(from_pts, stream=stream, backward=True)
    for packet in container.demux(stream):
        with suppress(InvalidDataError):
            yield from packet.decode()
