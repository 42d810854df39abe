"""Writes a clip as a film or as a folder of frames: whole or not at all, with the times and sound of its source."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from reelpatch.media.film_form import FilmForm, check_ending, film_form, is_folder_of_frames
from reelpatch.media.frame_colour import EXACT_COLOUR, Frames
from reelpatch.media.saving import check_folder, check_place, saved_at, saved_folder
from reelpatch.media.video_io import Video, opened

CRF = 16  # of x264: the difference to the source is not seen
_CLOCK = Fraction(1, 90_000)  # of frames without a fixed rate
_AAC_SAMPLES = 1024  # of one packet
_PRIMING_S = Fraction(1, 10)  # sound from before the first frame, which decoders need to start
_log = logging.getLogger(__name__)


def check_output(path: Path, source: Path | None = None, option: str = "--output") -> None:
    """Makes sure, before any work, that a clip can be written there.

    Raises: `BadInput` for another ending, a missing or closed folder, what stands in its place, or the clip itself.
    """
    check_ending(path, option)
    inputs = () if source is None else (source,)
    if is_folder_of_frames(path):
        check_folder(path, inputs, option)
    else:
        check_place(path, path.suffix.lower(), inputs, option)


class Pictures(Protocol):
    """The frames of a clip that are read as they are written."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, height, width, 3)."""
        ...

    def __iter__(self) -> Iterator[Frames]: ...


def write_video(
    video: Video, path: Path, *, crf: int = CRF, lossless: bool = False, pictures: Pictures | None = None
) -> None:
    """Writes the clip with its size, length, rate and sound, as the ending of the name says.

    `.mp4` is H.264 in BT.709: even sizes as 4:2:0, which everything plays, odd ones as 4:4:4, which has no 4:2:0 form;
    with `lossless` it is H.264 in RGB, which browsers do not play. `.mkv` is FFV1 in RGB. Without an ending it is a new
    folder of PNG images, frame_00000.png and so on, which has neither rate nor sound.

    `pictures` stand in the place of the clip's own frames, where those would be too many to hold.

    Guarantees: at `path` is either the whole clip or what was there before, whatever happens; but for the mp4 that is not
    lossless, it is read back bit for bit.
    Raises: `BadInput` for a folder that is missing, closed or full.
    """
    shown = video.frames if pictures is None else pictures
    if is_folder_of_frames(path):
        _write_frames(video, shown, path)
        return
    form = film_form(path, crf=crf, lossless=lossless)
    if form.container == "matroska" and video.pixel_aspect != 1:
        # PyAV cannot tell FFmpeg's Matroska writer.
        _log.warning(
            "%s does not say that its pixels are not square (%s); an mp4 would, also one without loss.",
            path,
            video.pixel_aspect,
        )
    with saved_at(path) as part, av.open(part, "w", format=form.container) as output:
        stream = _video_stream(output, video, shown.shape, form)
        if video.audio is None:
            _encode(output, stream, video, shown, iter(()))
            return
        with opened(video.audio) as source, closing(_sound(output, source, video, form)) as sound:
            _encode(output, stream, video, shown, sound)


def _write_frames(video: Video, shown: Iterable[Frames], path: Path) -> None:
    left_out = "rate and sound" if video.audio else "rate"
    _log.info(
        "A folder of frames does not keep the %s of the clip: %s frames per second.", left_out, video.fps
    )
    with saved_folder(path) as part:
        for index, image in enumerate(shown):
            Image.fromarray(image).save(part / f"frame_{index:05d}.png")


def _video_stream(
    output: OutputContainer, video: Video, shape: tuple[int, ...], form: FilmForm
) -> VideoStream:
    _, height, width, _ = shape
    options = dict(form.options)
    if form.codec == "libx264":
        # Its macroblock tree reads memory that nobody wrote: the same small frames come out as other bytes each time.
        options["x264-params"] = "mbtree=0"
    stream = output.add_stream(form.codec, rate=video.fps, options=options)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = height, width
    stream.pix_fmt = form.pixel_format or ("yuv444p" if height % 2 or width % 2 else "yuv420p")
    context = stream.codec_context
    context.time_base = _CLOCK if video.times_s else 1 / video.fps
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
        output.mux(stream.encode(frame))
        while upcoming and upcoming[0] <= time_s:
            output.mux(upcoming[1])
            upcoming = next(sound, None)
    output.mux(stream.encode(None))
    while upcoming:
        output.mux(upcoming[1])
        upcoming = next(sound, None)


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


def _sound(
    output: OutputContainer, source: InputContainer, video: Video, form: FilmForm
) -> Generator[tuple[Fraction, Packet[Any]]]:
    """The packets of the source's audio on the clock of the result, each with its time."""
    tracks = {stream.index: _track(output, stream, form) for stream in source.streams.audio}
    for packet in source.demux(*source.streams.audio):
        for ready in tracks[packet.stream.index](packet):
            base: Any = ready.time_base
            if ready.pts is None or ready.dts is None:
                continue
            time_s = ready.pts * base - video.start_s
            if time_s < -_PRIMING_S or (video.sound_end_s is not None and time_s >= video.sound_end_s):
                continue
            offset = round(video.start_s / base)
            ready.pts, ready.dts = ready.pts - offset, ready.dts - offset
            yield time_s, ready


def _track(
    output: OutputContainer, stream: AudioStream, form: FilmForm
) -> Callable[[Packet[Any]], list[Packet[Any]]]:
    """Makes what is written out of what is read, packet by packet; the last one read is empty."""
    if stream.codec_context.codec.canonical_name in form.copied_sound:
        copy = output.add_stream_from_template(stream)

        def copied(packet: Packet[Any]) -> list[Packet[Any]]:
            packet.stream = copy
            return [packet]

        return copied
    _log.warning(
        "The sound (%s) is encoded as AAC, because %s does not hold it.",
        stream.codec_context.name,
        form.container,
    )
    encoder: AudioStream = output.add_stream("aac", rate=stream.rate, layout=stream.layout)
    resampler = AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate, frame_size=_AAC_SAMPLES)

    def encoded(packet: Packet[Any]) -> list[Packet[Any]]:
        pieces = [piece for frame in packet.decode() for piece in resampler.resample(frame)]
        if packet.size == 0:
            pieces += [*resampler.resample(None), None]
        return [ready for piece in pieces for ready in encoder.encode(piece)]

    return encoded
