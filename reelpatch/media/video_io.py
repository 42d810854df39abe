"""Clips on disk: reads what PyAV or Pillow can, whole or not at all, with the true colours, times and upright."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelpatch.errors import BadInput
from reelpatch.media.frame_colour import ColourReader, Frames
from reelpatch.media.stills import IMAGE_SUFFIXES, images_in, read_still

# Frames that stand within this part of a frame from where a fixed rate would put them have a fixed rate.
_EVEN = Fraction(1, 10)


@dataclass(frozen=True, eq=False)
class Video:
    """A clip as it is shown: upright, in RGB of full range.

    Shapes: frames [F, H, W, 3].
    Units: `times_s` counts from the first frame and is None where the rate is fixed; `start_s` is where the first
    frame stands on the clock of `audio`, the file whose sound belongs to the clip.
    """

    frames: Frames
    fps: Fraction
    times_s: tuple[Fraction, ...] | None = None
    pixel_aspect: Fraction = Fraction(1)
    audio: Path | None = None
    start_s: Fraction = Fraction(0)
    sound_end_s: Fraction | None = None

    @property
    def duration_s(self) -> Fraction:
        """From the first frame to the end of the last one."""
        last = self.times_s[-1] if self.times_s else (len(self.frames) - 1) / self.fps
        return last + 1 / self.fps


def read_video(path: Path, *, folder_fps: Fraction) -> Video:
    """The clip of a video file or GIF, or of a folder of images in the order of the numbers in their names.

    `folder_fps` is the rate of a folder, which has none of its own.

    What has more than 8 bits, HDR or transparent parts is converted, and the log says so.

    Raises: `BadInput` for what is missing, unreadable, cut short or without a frame, and for images of different
        sizes.
    """
    if not path.exists():
        raise BadInput(f"there is no clip {path}: check the path.")
    if path.is_dir():
        return Video(_folder_frames(path), folder_fps)
    with opened(path) as container:
        if not container.streams.video:
            raise BadInput(f"{path} holds no video stream: give a video file, a GIF or a folder of images.")
        stream = container.streams.video[0]
        frames, pts = _decoded(container, stream, path)
        return header_of(container, stream, pts, frames, path)


def header_of(
    container: InputContainer, stream: VideoStream, pts: list[int | None], frames: Frames, path: Path
) -> Video:
    """The clip of these frames, with what its file says of it once all frames with their times `pts` were decoded.

    Raises: `BadInput` for a file that was cut short or has no rate.
    """
    _refuse_cut_short(stream, pts, path)
    fps = stream.average_rate or stream.guessed_rate
    if not fps:
        raise BadInput(f"{path} does not say how many frames it shows a second: convert it to mp4.")
    start, times = _times(pts, stream, fps)
    if times:
        fps = (len(times) - 1) / times[-1]
    aspect = stream.sample_aspect_ratio or Fraction(1)
    is_turned = frames.shape[1:3] != (stream.height, stream.width)
    return Video(
        frames,
        fps,
        times_s=times,
        pixel_aspect=1 / aspect if is_turned else aspect,
        audio=path if container.streams.audio else None,
        start_s=start,
    )


@contextmanager
def opened(path: Path) -> Generator[InputContainer]:
    """A media file, open to be read; whatever FFmpeg finds wrong with it becomes a `BadInput`."""
    try:
        with av.open(path) as container:
            yield container
    except av.FFmpegError as error:
        raise BadInput(
            f"{path} cannot be read as video ({error.strerror}): it may be damaged, cut short or of another kind; "
            "give a file that plays."
        ) from error


def _folder_frames(folder: Path) -> Frames:
    return np.stack(list(folder_frames(folder)))


def folder_frames(folder: Path) -> Generator[Frames]:
    """The images of a folder one after the other, at least one, of one size.

    Raises: `BadInput` for a folder without any, and for an image that is damaged or of another size.
    """
    paths = images_in(folder)
    if not paths:
        raise BadInput(
            f"the folder {folder} holds no frames: give one with {' or '.join(IMAGE_SUFFIXES)} images in it."
        )
    reader = ColourReader(folder)
    first = None
    for path in paths:
        image = read_still(path)
        if image.shape[2] == 4:
            image = reader.on_black(image)
        first = image if first is None else first
        if image.shape != first.shape:
            raise BadInput(
                f"the frames in {folder} differ in size: {path.name} is {_size(image)}, but "
                f"{paths[0].name} is {_size(first)}; make them one size."
            )
        yield image


def _decoded(container: InputContainer, stream: VideoStream, path: Path) -> tuple[Frames, list[int | None]]:
    """All frames, and when they are shown on the stream's clock."""
    frames: list[Frames] = []
    reader = ColourReader(path)
    pts: list[int | None] = []
    for frame in decoded_frames(container, stream, path):
        frames.append(reader.upright(frame))
        pts.append(frame.pts)
    return np.stack(frames), pts


def decoded_frames(container: InputContainer, stream: VideoStream, path: Path) -> Generator[VideoFrame]:
    """The frames of a clip one after the other, at least one, of one size.

    Raises: `BadInput` at a frame that is damaged or of another size, and at the end of a file that was cut short.
    """
    stream.thread_type = "AUTO"
    num_packets, number = 0, 0
    size = None
    for packet in container.demux(stream):
        num_packets += bool(packet.size)
        for frame in packet.decode():
            number += 1
            if frame.is_corrupt:
                raise BadInput(f"frame {number} of {path} is damaged: give a file that plays.")
            size = size or (frame.width, frame.height)
            if size != (frame.width, frame.height):
                raise BadInput(f"the frames of {path} change their size on the way: convert it to one size.")
            yield frame
    if num_packets < stream.frames:
        raise BadInput(
            f"{path} is cut short: it has {num_packets} of the {stream.frames} frames it announces; "
            "get the complete file."
        )
    if not number:
        raise BadInput(f"{path} holds a video stream without a frame: give a clip with at least one.")


def _refuse_cut_short(stream: VideoStream, pts: list[int | None], path: Path) -> None:
    """For containers that announce a length but no number of frames: Matroska and WebM."""
    announced = stream.metadata.get("DURATION")
    if not announced or pts[-1] is None or stream.time_base is None or not stream.average_rate:
        return
    hours, minutes, seconds = announced.split(":")
    length_s = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    reached_s = float(pts[-1] * stream.time_base + 2 / stream.average_rate)
    if reached_s < length_s:
        raise BadInput(
            f"{path} is cut short: its frames end at {reached_s:.2f} s of the {length_s:.2f} s it announces; "
            "get the complete file."
        )


def _times(
    pts: list[int | None], stream: VideoStream, fps: Fraction
) -> tuple[Fraction, tuple[Fraction, ...] | None]:
    """When the first frame is shown, and when each is after it where that is not at a fixed rate."""
    known = [value for value in pts if value is not None]
    if len(known) < len(pts) or stream.time_base is None:
        return Fraction(0), None
    start = known[0] * stream.time_base
    times = tuple(value * stream.time_base - start for value in known)
    is_even = all(abs(time * fps - index) <= _EVEN for index, time in enumerate(times))
    is_rising = all(one < other for one, other in pairwise(times))
    return start, None if is_even or not is_rising else times


def _size(image: Frames) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
