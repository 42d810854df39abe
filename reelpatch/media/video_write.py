"""Writes a clip as a film or as a folder of frames: whole or not at all, with the times and sound of its source."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.media.film_form import FilmForm, check_ending, film_form, is_folder_of_frames
from reelpatch.media.film_rate import as_written
from reelpatch.media.frame_colour import EXACT_COLOUR, Frames
from reelpatch.media.matroska_aspect import PLACE_HOLDER, write_aspect
from reelpatch.media.output_check import Inputs
from reelpatch.media.saving import check_folder, check_place, saved_at, saved_folder
from reelpatch.media.sound import SoundPlan, plan_sound, sound_packets
from reelpatch.media.video_io import Video

CRF = 16  # of x264: the difference to the source is not seen
_CLOCK = Fraction(1, 90_000)  # of frames without a fixed rate
_REHEARSED_FRAMES = 2
_DOTS_A_METRE = 2835  # 72 an inch, as most images have it
_METRES_AN_INCH = 0.0254
_log = logging.getLogger(__name__)


def check_output(path: Path, inputs: Inputs = (), setting: str = "output") -> None:
    """Makes sure, before any work, that a clip can be written there.

    Raises: `BadInput` for another ending, a missing or closed folder, what stands in its place, or one of the inputs.
    """
    check_ending(path, setting)
    if is_folder_of_frames(path):
        check_folder(path, inputs, setting)
    else:
        check_place(path, path.suffix.lower(), inputs, setting)


class Pictures(Protocol):
    """The frames of a clip that are read as they are written."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, height, width, 3)."""
        ...

    def __iter__(self) -> Iterator[Frames]: ...


def announce_result(video: Video, path: Path, *, lossless: bool = False) -> SoundPlan:
    """Finds out and says, before any work, how a clip of this size, rate and sound will be written.

    Its first pictures and all of its sound are written to nowhere.
    Raises: `BadInput` for a clip that cannot be written in this form.
    """
    if is_folder_of_frames(path):
        left_out = "rate and sound" if video.audio else "rate"
        _log.info(
            "A folder of frames does not keep the %s of the clip: %s frames per second.", left_out, video.fps
        )
        return SoundPlan()
    form = film_form(path, crf=CRF, lossless=lossless)
    sound = plan_sound(video, form)
    for sentence in sound.said:
        _log.log(logging.WARNING if sentence in sound.losses else logging.INFO, "%s", sentence)
    few = video.frames[:_REHEARSED_FRAMES]
    with _blamed(path, form):
        _write_film(replace(video, audio=None), few, Path(os.devnull), form, sound)
    return sound


def write_video(
    video: Video,
    path: Path,
    *,
    crf: int = CRF,
    lossless: bool = False,
    pictures: Pictures | None = None,
    sound: SoundPlan | None = None,
) -> None:
    """Writes the clip with its size, length, rate and sound, as the ending of the name says.

    `.mp4` is H.264 in BT.709: even sizes as 4:2:0, which everything plays, odd ones as 4:4:4, which has no 4:2:0 form;
    with `lossless` it is H.264 in RGB, which browsers do not play. `.mkv` is FFV1 in RGB. Without an ending it is a new
    folder of PNG images, frame_00000.png and so on, which has neither rate nor sound.

    `pictures` stand in the place of the clip's own frames, where those would be too many to hold. `sound` is what
    `announce_result` found; without it, that is found out here.

    Guarantees: at `path` is either the whole clip or what was there before, whatever happens; but for the mp4 that is not
    lossless, it is read back bit for bit.
    Raises: `BadInput` for a folder that is missing, closed or full, and for a clip that cannot be written in this form.
    """
    if sound is None:
        sound = announce_result(video, path, lossless=lossless)
    shown = video.frames if pictures is None else pictures
    if is_folder_of_frames(path):
        _write_frames(shown, path, video.pixel_aspect)
        return
    form = film_form(path, crf=crf, lossless=lossless)
    with saved_at(path) as part, _blamed(path, form):
        _write_film(video, shown, part, form, sound)
        if _lacks_aspect(video, form):
            write_aspect(part, (shown.shape[1], shown.shape[2]), video.pixel_aspect)


def _lacks_aspect(video: Video, form: FilmForm) -> bool:
    return form.container == "matroska" and video.pixel_aspect != 1


@contextmanager
def _blamed(path: Path, form: FilmForm) -> Generator[None]:
    """What FFmpeg refuses here is the result, not the clip; what the system refuses is told by who names the place."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise BadInput(
            f"the output {path} cannot be written as {form.codec} in {form.container} ({error.strerror}): choose another "
            "form, .mkv or a folder of PNG frames."
        ) from error


def _write_film(video: Video, shown: Pictures | Frames, path: Path, form: FilmForm, sound: SoundPlan) -> None:
    # Without it an mp4 takes a few names of tags alone.
    options = {"movflags": "use_metadata_tags"} if video.tags and form.container == "mp4" else {}
    with av.open(path, "w", format=form.container, options=options) as output:
        if video.comment:
            output.metadata["comment"] = video.comment
        output.metadata.update(video.tags)
        stream = _video_stream(output, video, shown.shape, form)
        with closing(sound_packets(output, video, sound.ways)) as packets:
            _encode(output, stream, video, shown, packets)


def _write_frames(shown: Iterable[Frames], path: Path, pixel_aspect: Fraction) -> None:
    with saved_folder(path) as part:
        for index, image in enumerate(shown):
            Image.fromarray(image).save(part / f"frame_{index:05d}.png", **_png_aspect(pixel_aspect))


def _png_aspect(pixel_aspect: Fraction) -> dict[str, Any]:
    """For Pillow: dots an inch across and down, which stand in the file as whole numbers a metre."""
    if pixel_aspect == 1:
        return {}
    times = max(1, _DOTS_A_METRE // max(pixel_aspect.numerator, pixel_aspect.denominator))
    return {
        "dpi": (
            pixel_aspect.denominator * times * _METRES_AN_INCH,
            pixel_aspect.numerator * times * _METRES_AN_INCH,
        )
    }


def _video_stream(
    output: OutputContainer, video: Video, shape: tuple[int, ...], form: FilmForm
) -> VideoStream:
    _, height, width, _ = shape
    options = dict(form.options)
    if form.codec == "libx264":
        # Its macroblock tree reads memory that nobody wrote: the same small frames come out as other bytes each time.
        options["x264-params"] = "mbtree=0"
    if video.last_s and form.container == "mp4":
        options["bf"] = (
            "0"  # an mp4 says how long the last frame is stored, which with B-frames is not the last shown
        )
    stream = output.add_stream(form.codec, rate=as_written(video.fps), options=options)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = height, width
    stream.pix_fmt = form.pixel_format or ("yuv444p" if height % 2 or width % 2 else "yuv420p")
    if _lacks_aspect(video, form):
        stream.metadata["title"] = PLACE_HOLDER
    context = stream.codec_context
    context.time_base = _CLOCK if video.times_s else 1 / as_written(video.fps)
    context.sample_aspect_ratio = video.pixel_aspect
    context.color_trc = ColorTrc.BT709
    context.color_primaries = ColorPrimaries.BT709
    context.color_range = ColorRange.JPEG if form.is_rgb else ColorRange.MPEG
    if not form.is_rgb:
        context.colorspace = Colorspace.ITU709
    return stream


def _encode(
    output: OutputContainer,
    stream: VideoStream,
    video: Video,
    shown: Iterable[Frames],
    sound: Iterator[tuple[Fraction, Packet[Any]]],
) -> None:
    """Frames and sound, side by side in the file as they are in time."""
    upcoming = next(sound, None)
    for index, image in enumerate(shown):
        time_s = video.times_s[index] if video.times_s else index / video.fps
        frame = _frame(image, stream.pix_fmt)
        base: Any = stream.codec_context.time_base
        frame.pts, frame.time_base = round(time_s / base), base
        output.mux(_packets(stream, frame, video))
        while upcoming and upcoming[0] <= time_s:
            output.mux(upcoming[1])
            upcoming = next(sound, None)
    output.mux(_packets(stream, None, video))
    while upcoming:
        output.mux(upcoming[1])
        upcoming = next(sound, None)


def _packets(stream: VideoStream, frame: VideoFrame | None, video: Video) -> list[Packet[VideoStream]]:
    """What the encoder has ready; of the last frame, with how long it is shown."""
    packets = stream.encode(frame)
    if video.times_s and video.last_s:
        base: Any = stream.codec_context.time_base
        for packet in packets:
            if packet.pts == round(video.times_s[-1] / base):
                packet.duration = round(video.last_s / base)
    return packets


def _frame(image: Frames, pixel_format: str | None) -> VideoFrame:
    frame = VideoFrame.from_ndarray(image, format="rgb24")
    if pixel_format in {"rgb24", "bgr0"}:
        return frame.reformat(format=pixel_format)
    return frame.reformat(
        format=pixel_format,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT_COLOUR,
    )
