"""Writes a clip as mp4: whole or not at all, with the times and the sound of its source."""

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

from reelpatch.headless.saving import check_place, saved_at
from reelpatch.headless.video_io import EXACT_COLOUR, Frames, Video, opened

CRF = 16  # of x264: the difference to the source is not seen
# What players expect in an mp4; other sound (Vorbis, PCM) is encoded as AAC.
COPIED_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
# Of smaller pictures x264's macroblock tree reads memory that nobody wrote: the same frames come out as other bytes.
_SMALLEST_FOR_TREE_PX = 64
_CLOCK = Fraction(1, 90_000)  # of frames without a fixed rate
_AAC_SAMPLES = 1024  # of one packet
_PRIMING_S = Fraction(1, 10)  # sound from before the first frame, which decoders need to start
_log = logging.getLogger(__name__)


def check_output(path: Path, source: Path | None = None, option: str = "--output") -> None:
    """Makes sure, before any work, that an mp4 can be written there.

    Raises: `BadInput` for another suffix, a missing or closed folder, a folder in its place, or the clip itself.
    """
    check_place(path, ".mp4", () if source is None else (source,), option)


class Pictures(Protocol):
    """The frames of a clip that are read as they are written."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, height, width, 3)."""
        ...

    def __iter__(self) -> Iterator[Frames]: ...


def write_video(video: Video, path: Path, *, crf: int = CRF, pictures: Pictures | None = None) -> None:
    """Writes an mp4 (H.264, BT.709) of the clip's size, length, rate and sound; a file of that name is replaced.

    The size is kept: even sizes as 4:2:0, which everything plays, odd ones as 4:4:4, which has no 4:2:0 form.

    `pictures` stand in the place of the clip's own frames, where those would be too many to hold.

    Guarantees: at `path` is either the whole clip or what was there before, whatever happens.
    Raises: `BadInput` for a folder that is missing, closed or full.
    """
    with saved_at(path) as part, av.open(part, "w", format="mp4") as output:
        shown = video.frames if pictures is None else pictures
        stream = _video_stream(output, video, shown.shape, crf)
        if video.audio is None:
            _encode(output, stream, video, shown, iter(()))
            return
        with opened(video.audio) as source, closing(_sound(output, source, video)) as sound:
            _encode(output, stream, video, shown, sound)


def _video_stream(output: OutputContainer, video: Video, shape: tuple[int, ...], crf: int) -> VideoStream:
    _, height, width, _ = shape
    options = {"crf": str(crf)}
    if min(height, width) < _SMALLEST_FOR_TREE_PX:
        options["x264-params"] = "mbtree=0"
    stream: VideoStream = output.add_stream("libx264", rate=video.fps, options=options)
    stream.height, stream.width = height, width
    stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
    context = stream.codec_context
    context.time_base = _CLOCK if video.times_s else 1 / video.fps
    context.sample_aspect_ratio = video.pixel_aspect
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    context.color_trc = ColorTrc.BT709
    context.color_primaries = ColorPrimaries.BT709
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
        frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(
            format=stream.pix_fmt,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=EXACT_COLOUR,
        )
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


def _sound(
    output: OutputContainer, source: InputContainer, video: Video
) -> Generator[tuple[Fraction, Packet[Any]]]:
    """The packets of the source's audio on the clock of the result, each with its time."""
    tracks = {stream.index: _track(output, stream) for stream in source.streams.audio}
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


def _track(output: OutputContainer, stream: AudioStream) -> Callable[[Packet[Any]], list[Packet[Any]]]:
    """Makes what is written out of what is read, packet by packet; the last one read is empty."""
    if stream.codec_context.codec.canonical_name in COPIED_AUDIO:
        copy = output.add_stream_from_template(stream)

        def copied(packet: Packet[Any]) -> list[Packet[Any]]:
            packet.stream = copy
            return [packet]

        return copied
    _log.warning(
        "The sound (%s) is encoded as AAC, because an mp4 does not hold it.", stream.codec_context.name
    )
    encoder: AudioStream = output.add_stream("aac", rate=stream.rate, layout=stream.layout)
    resampler = AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate, frame_size=_AAC_SAMPLES)

    def encoded(packet: Packet[Any]) -> list[Packet[Any]]:
        pieces = [piece for frame in packet.decode() for piece in resampler.resample(frame)]
        if packet.size == 0:
            pieces += [*resampler.resample(None), None]
        return [ready for piece in pieces for ready in encoder.encode(piece)]

    return encoded
