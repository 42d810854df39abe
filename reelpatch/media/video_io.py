"""Clips on disk: reads what PyAV or Pillow can, whole or not at all, with the true colours, times and upright."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from reelpatch.errors import BadInput
from reelpatch.media.damage import Damage
from reelpatch.media.decoding import decoded_frames, main_stream
from reelpatch.media.film_rate import check_rate
from reelpatch.media.frame_colour import ColourReader, Frames
from reelpatch.media.frame_times import frame_times, is_longer, shown_s
from reelpatch.media.opening import opened
from reelpatch.media.stills import IMAGE_SUFFIXES, images_in, png_pixel_aspect, read_still
from reelpatch.media.upright import Upright


@dataclass(frozen=True, eq=False)
class Video:
    """A clip as it is shown: upright, in RGB of full range.

    Shapes: frames [F, H, W, 3].
    Units: `times_s` counts from the first frame and is None where the rate is fixed, `last_s`, which goes with it, is how
    long the last frame is shown, None for as long as the others on the whole; `start_s` is where the first frame stands on
    the clock of `audio`, the file whose sound belongs to the clip, and `film_s` how long that file's pictures are shown, None where
    nothing was read from it. `comment` is written into the file of a film, and so are `tags`, words by their names.
    """

    frames: Frames
    fps: Fraction
    times_s: tuple[Fraction, ...] | None = None
    last_s: Fraction | None = None
    pixel_aspect: Fraction = Fraction(1)
    audio: Path | None = None
    start_s: Fraction = Fraction(0)
    sound_end_s: Fraction | None = None
    film_s: Fraction | None = None
    comment: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def duration_s(self) -> Fraction:
        """From the first frame to the end of the last one."""
        return self.shown_s(len(self.frames))

    def shown_s(self, num_frames: int) -> Fraction:
        """How long the first `num_frames` frames are shown."""
        if self.times_s is None:
            return num_frames / self.fps
        if num_frames < len(self.times_s):
            return self.times_s[num_frames]
        return self.times_s[-1] + (self.last_s or 1 / self.fps)

    def cut(self, num_frames: int) -> "Video":
        """Times and sound up to where frame `num_frames` would begin; the frames are as they were."""
        end, times = self.shown_s(num_frames), self.times_s and self.times_s[:num_frames]
        return replace(self, times_s=times, last_s=times and end - times[-1], sound_end_s=end)


def read_video(path: Path, *, folder_fps: Fraction, accept_damage: bool | None = None) -> Video:
    """The clip of a video file or GIF, or of a folder of images in the order of the numbers in their names.

    `folder_fps` is the rate of a folder, which has none of its own. With `accept_damage`, frames that decode with errors
    are taken as they are; None is for clips of which that is never asked.

    What has more than 8 bits, HDR, transparent parts or two fields in a frame is converted, and the log says so.

    Raises: `BadInput` for what is missing, unreadable, damaged, cut short or without a frame, and for images of different
        sizes.
    """
    if not path.exists():
        raise BadInput(f"there is no clip {path}: check the path.")
    if path.is_dir():
        return Video(_folder_frames(path), folder_fps, pixel_aspect=folder_pixel_aspect(path))
    reader, damage = ColourReader(path), Damage(path, accept_damage)
    frames: list[Frames] = []
    pts: list[int | None] = []
    last_s = Fraction(0)
    with opened(path) as container:
        stream = main_stream(container, path)
        for frame in reader.shown(container, stream, decoded_frames(container, stream, path, damage)):
            frames.append(reader.upright(frame))
            pts.append(frame.pts)
            last_s = shown_s(frame, stream)
        damage.judge()
        return header_of(container, stream, (pts, last_s), np.stack(frames), reader.way_up, path)


def header_of(
    container: InputContainer,
    stream: VideoStream,
    shown: tuple[Sequence[int | None], Fraction],
    frames: Frames,
    way_up: Upright,
    path: Path,
) -> Video:
    """The clip of these upright frames, with what its file says of it once all were decoded.

    `shown`: the frames' times, and for how many seconds the last one is shown, 0 where nothing says it.
    Raises: `BadInput` for a file that has no rate, or one that cannot be written.
    """
    fps = stream.average_rate or stream.guessed_rate
    if not fps:
        raise BadInput(f"{path} does not say how many frames it shows a second: convert it to mp4.")
    fps = Fraction(fps)  # PyAV 19 has numbers of its own
    pts, last_s = shown
    start, times = frame_times(pts, stream, fps)
    if times:
        fps = (len(times) - 1) / times[-1]
    is_long = is_longer(last_s, fps, stream)
    if is_long and times is None:
        times = tuple(index / fps for index in range(len(pts)))
    check_rate(fps, times, path)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return Video(
        frames,
        fps,
        times_s=times,
        last_s=last_s if is_long else None,
        pixel_aspect=1 / aspect if way_up.swaps_sides else aspect,
        audio=path if container.streams.audio else None,
        start_s=start,
        film_s=(times[-1] if times else (len(pts) - 1) / fps) + max(last_s, 1 / fps),
    )


def _folder_frames(folder: Path) -> Frames:
    return np.stack(list(folder_frames(folder)))


def folder_pixel_aspect(folder: Path) -> Fraction:
    """That of the first image, which holds for all."""
    return png_pixel_aspect(images_in(folder)[0])


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


def _size(image: Frames) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
