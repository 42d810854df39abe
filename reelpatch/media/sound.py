"""The sound of a result: which tracks of its source are copied, encoded or left out, found by doing it once, to nowhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from reelpatch.media.film_form import FilmForm
from reelpatch.media.opening import opened
from reelpatch.media.sound_track import CopiedTrack, EncodedTrack, Encoding, Span, encodings
from reelpatch.media.video_io import Video

Ways = Mapping[int, Encoding | None]
"""How the tracks of a result come about: the index of a stream in the source, and None for one that is copied."""

_NO_DECODER = "no decoder for it is known"
_NOTHING = "nothing of it can be read"
_OTHER_STREAMS = {"subtitle": "subtitles", "data": "data tracks", "attachment": "attachments"}


@dataclass(frozen=True)
class SoundPlan:
    """The tracks of a result, and what becomes of those of the source: sentences on all, and on what is not kept."""

    ways: Ways = field(default_factory=dict[int, Encoding | None])
    said: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()


def plan_sound(video: Video, form: FilmForm) -> SoundPlan:
    """What becomes of the sound of a clip that is written in this form.

    Cost: all of the sound is read once, and encoded where it cannot be copied. Nothing is written.
    """
    if video.audio is None:
        return SoundPlan()
    with opened(video.audio) as source:
        streams = tuple((stream.index, _name(stream)) for stream in source.streams.audio)
        possible = {stream.index: _possible(stream, form) for stream in source.streams.audio}
        others = sorted({_OTHER_STREAMS[one.type] for one in source.streams if one.type in _OTHER_STREAMS})
    outcomes = _outcomes(video, form, possible)
    sentences: list[tuple[str, bool]] = []
    for number, (index, name) in enumerate(streams, 1):
        who = f"The sound ({name})" if len(streams) == 1 else f"Sound track {number} ({name})"
        sentences += _sentences(who, outcomes[index], form)
    if others:
        sentences.append((f"The {' and '.join(others)} of {video.audio} are left out.", True))
    return SoundPlan(
        {index: outcome.way for index, outcome in outcomes.items() if not outcome.fault},
        tuple(sentence for sentence, _ in sentences),
        tuple(sentence for sentence, is_loss in sentences if is_loss),
    )


def sound_packets(
    output: OutputContainer, video: Video, ways: Ways
) -> Generator[tuple[Fraction, Packet[Any]]]:
    """The packets of the tracks on the clock of the result, each with its time in s.

    The tracks are added to `output` before the first packet. Raises: `BadInput` for a source that cannot be read.
    """
    if video.audio is None or not ways:
        return
    with opened(video.audio) as source:
        yield from _flow(source, _added(output, source, video, ways))


@dataclass(frozen=True)
class _Outcome:
    """What came of one track; `fault` is why there is no way for it."""

    way: Encoding | None
    fault: str = ""
    num_damaged: int = 0


def _outcomes(
    video: Video, form: FilmForm, possible: Mapping[int, list[Encoding | None]]
) -> dict[int, _Outcome]:
    first = {index: ways[0] for index, ways in possible.items() if ways}
    outcomes = {index: _Outcome(None, _NO_DECODER) for index in possible}
    together = _rehearsed(video, form, first)
    if not any(outcome.fault for outcome in together.values()):
        return outcomes | together
    for index, ways in possible.items():
        for way in ways:
            outcomes |= _rehearsed(video, form, {index: way})
            if not outcomes[index].fault:
                break
    return {index: outcomes[index] for index in possible}


def _rehearsed(video: Video, form: FilmForm, ways: Ways) -> dict[int, _Outcome]:
    """Does all of it, to nowhere."""
    assert video.audio is not None
    counts: Counter[int] = Counter()
    try:
        with opened(video.audio) as source, av.open(os.devnull, "w", format=form.container) as output:
            tracks = _added(output, source, video, ways)
            for _, packet in _flow(source, tracks):
                counts[packet.stream.index] += 1
                output.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        fault = f"{form.container} does not take it ({getattr(error, 'strerror', None) or error})"
        return {index: _Outcome(way, fault) for index, way in ways.items()}
    return {
        index: _Outcome(way, "" if counts[place] else _NOTHING, tracks[index].num_damaged)
        for place, (index, way) in enumerate(ways.items())
    }


def _added(
    output: OutputContainer, source: InputContainer, video: Video, ways: Ways
) -> dict[int, CopiedTrack | EncodedTrack]:
    span = Span(video.start_s, video.sound_end_s, video.film_s)
    tracks: dict[int, CopiedTrack | EncodedTrack] = {}
    for index, way in ways.items():
        stream: Any = source.streams[index]
        tracks[index] = (
            CopiedTrack(output, stream, span) if way is None else EncodedTrack(output, stream, span, way)
        )
    return tracks


def _flow(
    source: InputContainer, tracks: Mapping[int, CopiedTrack | EncodedTrack]
) -> Generator[tuple[Fraction, Packet[Any]]]:
    if not tracks:
        return
    for packet in source.demux([source.streams[index] for index in tracks]):
        if packet.size:
            yield from tracks[packet.stream.index].push(packet)
    for track in tracks.values():
        yield from track.finish()


def _possible(stream: AudioStream, form: FilmForm) -> list[Encoding | None]:
    """Every way to carry a track over, the one that keeps most first."""
    found: list[Encoding | None] = [*encodings(stream)]
    context: Any = stream.codec_context
    if context is not None and context.codec.canonical_name in form.copied_sound:
        found.insert(0, None)
    return found


def _name(stream: AudioStream) -> str:
    context: Any = stream.codec_context
    return "of an unknown kind" if context is None else context.codec.canonical_name


def _sentences(who: str, outcome: _Outcome, form: FilmForm) -> list[tuple[str, bool]]:
    """Each with whether something is not kept."""
    if outcome.fault:
        return [(f"{who} is left out: {outcome.fault}.", True)]
    if outcome.way is None:
        return [(f"{who} is copied.", False)]
    said = [
        (
            f"{who} is encoded as AAC, because {form.container} does not hold it{outcome.way.changes}.",
            True,
        )
    ]
    if outcome.num_damaged:
        said.append(
            (f"{who} has {outcome.num_damaged} damaged packets, which are silent in the result.", True)
        )
    return said
