"""One sound track on its way from a source to a result: copied packet by packet, or encoded as AAC."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from reelpatch.errors import BadInput

Timed: TypeAlias = "tuple[Fraction, Packet[Any]]"

_AAC_SAMPLES = 1024  # of one packet
_FORMAT = "fltp"  # the one that the AAC encoder takes
# Sound from before the first frame, which decoders need to start: some codecs as long, others one or two packets.
_PRIMING_S, _MOST_PRIMING_S = Fraction(1, 10), Fraction(3, 10)
# Clocks of containers count in ms or less. What is off by more is a gap, of an hour at most, and no longer than the film.
_GAP_S, _MOST_GAP_S = Fraction(1, 20), Fraction(3600)
# What FFmpeg takes channels for that have no names.
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_MIXED_TO = {8: "7.1", 6: "5.1", 2: "stereo", 1: "mono"}


@dataclass(frozen=True)
class Span:
    """What of a source's sound belongs to a result, in s on the source's clock; `end_s` counts from the start.

    `film_s` is how long its pictures are shown, None where that is not known.
    """

    start_s: Fraction
    end_s: Fraction | None
    film_s: Fraction | None = None

    @property
    def most_gap_s(self) -> Fraction:
        """The longest gap; what is off by more is a clock that jumps, and the sound goes on at once."""
        return min(_MOST_GAP_S, max(self.film_s or _MOST_GAP_S, _GAP_S))


@dataclass(frozen=True)
class Encoding:
    """How a track is encoded; `changes` is what else that does to it, to be said after a sentence."""

    rate: int
    layout: str
    changes: str


def encodings(stream: AudioStream) -> list[Encoding]:
    """The ways in which a track may be encoded as AAC, the one that keeps most first; none without a decoder."""
    context: Any = stream.codec_context
    if context is None or not context.sample_rate or not context.layout.nb_channels:
        return []
    num_channels, name = context.layout.nb_channels, context.layout.name
    is_named = name != f"{num_channels} channels"
    rate = _aac_rate(context.sample_rate)
    resampled = "" if rate == context.sample_rate else f"; resampled from {context.sample_rate} to {rate} Hz"
    found: list[Encoding] = []
    own = name if is_named else _USUAL_LAYOUTS.get(num_channels)
    if own is not None:
        taken = "" if is_named or num_channels <= 2 else f"; its {num_channels} channels are taken as {own}"
        found.append(Encoding(rate, own, taken + resampled))
    found += [
        Encoding(rate, layout, f"; mixed from {name} to {layout}{resampled}")
        for channels, layout in _MIXED_TO.items()
        if channels < num_channels
    ]
    return found


class CopiedTrack:
    """Packets as they are."""

    num_damaged = 0

    def __init__(self, output: OutputContainer, stream: AudioStream, span: Span) -> None:
        self._copy, self._span = output.add_stream_from_template(stream), span

    def push(self, packet: Packet[Any]) -> list[Timed]:
        """What is to be written of a packet, with its time in s on the clock of the result."""
        base: Any = packet.time_base
        if packet.pts is None or packet.dts is None:
            return []
        time_s, end_s = packet.pts * base - self._span.start_s, self._span.end_s
        length_s = (packet.duration or 0) * base
        priming_s = max(_PRIMING_S, min(2 * length_s, _MOST_PRIMING_S))
        if time_s < -priming_s or (end_s is not None and time_s >= end_s):
            return []
        offset = round(self._span.start_s / base)
        packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
        packet.stream = self._copy
        return [(time_s, packet)]

    def finish(self) -> list[Timed]:
        """What is still to be written."""
        return []


class EncodedTrack:
    """Packets decoded, brought to a rate and layout, and encoded; gaps become silence, damaged packets gaps.

    As `CopiedTrack`. Raises: `BadInput` where the encoder does not take it.
    """

    def __init__(self, output: OutputContainer, stream: AudioStream, span: Span, encoding: Encoding) -> None:
        self._decoder, self._span, self._encoding = stream.codec_context, span, encoding
        self._encoder: AudioStream = output.add_stream("aac", rate=encoding.rate, layout=encoding.layout)
        self._fifo = AudioFifo()
        self._resampler: AudioResampler | None = None
        self._read: tuple[Any, ...] | None = None  # the format of what is read
        self._clock: Fraction | None = None  # where what was read ends
        self._next = 0  # sample to be written
        self.num_damaged = 0

    def push(self, packet: Packet[Any]) -> list[Timed]:
        for frame in self._decoded(packet):
            self._add(frame)
        return self._encoded(is_last=False)

    def finish(self) -> list[Timed]:
        for frame in self._decoded(None):
            self._add(frame)
        self._convert(None)
        return self._encoded(is_last=True)

    def _decoded(self, packet: Packet[Any] | None) -> list[AudioFrame]:
        try:
            return self._decoder.decode(packet)
        except av.FFmpegError:
            self.num_damaged += packet is not None
            return []

    def _add(self, frame: AudioFrame) -> None:
        length_s = Fraction(frame.samples, frame.sample_rate)
        time_s = self._clock or Fraction(0)
        if frame.pts is not None and frame.time_base is not None:
            time_s = frame.pts * frame.time_base - self._span.start_s
        if time_s + length_s <= 0 or (self._span.end_s is not None and time_s >= self._span.end_s):
            return
        if self._clock is None:
            self._clock = time_s
            self._next = round(time_s * self._encoding.rate)
        gap_s = time_s - self._clock
        if _GAP_S < gap_s < self._span.most_gap_s:
            self._convert(None)
            self._add_silence(round(gap_s * self._encoding.rate))
            self._clock += gap_s
        self._clock += length_s
        self._convert(frame)

    def _convert(self, frame: AudioFrame | None) -> None:
        """Into the buffer; a track may change its format on the way, and None ends what was read."""
        read = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is not None and read != self._read:
            self._buffer(self._resampler.resample(None))
            self._resampler = None
        if frame is None:
            return
        if self._resampler is None:
            self._resampler = AudioResampler(_FORMAT, self._encoding.layout, self._encoding.rate)
            self._read = read
        self._buffer(self._resampler.resample(frame))

    def _buffer(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            frame.pts = None
            self._fifo.write(frame)

    def _add_silence(self, num_samples: int) -> None:
        while num_samples > 0:
            frame = AudioFrame(_FORMAT, self._encoding.layout, min(num_samples, _AAC_SAMPLES))
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate = self._encoding.rate
            self._buffer([frame])
            num_samples -= frame.samples

    def _encoded(self, *, is_last: bool) -> list[Timed]:
        pieces: list[AudioFrame | None] = []
        while self._fifo.samples and (piece := self._fifo.read(_AAC_SAMPLES, partial=is_last)) is not None:
            piece.pts, piece.time_base = self._next, Fraction(1, self._encoding.rate)
            self._next += piece.samples
            pieces.append(piece)
        if is_last and self._clock is not None:
            pieces.append(None)
        try:
            packets = [packet for piece in pieces for packet in self._encoder.encode(piece)]
        except (av.FFmpegError, ValueError) as error:
            raise BadInput(f"the sound cannot be encoded as AAC ({error}).") from error
        return [(packet.pts * packet.time_base, packet) for packet in packets if packet.pts is not None]


def _aac_rate(rate: int) -> int:
    """The rate itself where AAC has it, else the next higher, else the highest that divides it."""
    rates = sorted(av.Codec("aac", "w").audio_rates or [48000])
    higher = [one for one in rates if one >= rate]
    dividing = [one for one in rates if rate % one == 0]
    return higher[0] if higher else max(dividing or rates)
