"""Sound of every sort goes with the result: copied, or encoded in time, or left out and said, before anything is made."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.media.film_form import film_form
from reelpatch.media.sound import SoundPlan, plan_sound
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import announce_result, write_video
from tests.conftest import moving_square

FPS = Fraction(8)
CLICKS_S = (0.0, 0.25, 0.5, 0.75, 1.0)
# The encoder's own packets begin up to one sample of theirs beside; a decoder's filters smear a click by as much.
IN_TIME_S = 0.004


def clicks(rate: int, channels: int) -> NDArray[np.float32]:
    """9 / 8 s with clicks of 5 ms, [channels, samples]."""
    wave = np.zeros((channels, 9 * rate // 8), np.float32)
    tone = np.sin(np.arange(rate // 200) * 2 * np.pi * 1000 / rate) * 0.5
    for second in CLICKS_S:
        wave[:, round(second * rate) : round(second * rate) + len(tone)] = tone
    return wave


def film(
    path: Path, sound: str, rate: int = 48000, layout: str = "mono", tracks: int = 1, video: str = "mpeg4"
) -> Path:
    """9 frames at 8 fps, as other programs make them."""
    with av.open(path, "w") as output:
        stream = output.add_stream(video, rate=FPS)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        tones = [output.add_stream(sound, rate=rate, layout=layout) for _ in range(tracks)]
        for tone in tones:
            tone.codec_context.bit_rate = 128_000
        for index, image in enumerate(moving_square()):
            frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
            frame.pts, frame.time_base = index, 1 / FPS
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        for tone in tones:
            context = tone.codec_context
            wave = clicks(rate, context.layout.nb_channels)
            samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
            samples.sample_rate, samples.pts, samples.time_base = rate, 0, Fraction(1, rate)
            pieces = av.AudioResampler(context.format, layout, rate, frame_size=context.frame_size or 1024)
            for piece in [*pieces.resample(samples), *pieces.resample(None), None]:
                output.mux(tone.encode(piece))
    return path


def read(path: Path) -> Video:
    return read_video(path, folder_fps=FPS)


def planned(path: Path, name: str = "x.mp4") -> SoundPlan:
    return plan_sound(read(path), film_form(Path(name), crf=16, lossless=False))


def heard(path: Path, track: int = 0) -> list[float]:
    """When clicks begin, in s from the first frame."""
    with av.open(path) as file:
        start = next(file.decode(video=0)).time
    found: list[NDArray[np.float32]] = []
    with av.open(path) as file:
        mono, begin, rate = av.AudioResampler("fltp", "mono"), start, 1
        for frame in file.decode(audio=track):
            begin = begin if found else frame.time
            rate = frame.sample_rate
            found += [piece.to_ndarray()[0] for piece in mono.resample(frame)]
    wave = np.abs(np.concatenate(found))
    loud = np.flatnonzero(wave > 0.3 * wave.max()) / rate + begin - start
    return [float(loud[0]), *(float(late) for early, late in pairwise(loud) if late - early > 0.1)]


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout", "said"),
    [
        ("pcm.avi", "pcm_s16le", 8000, "mono", ""),
        ("pcm.mkv", "pcm_s16le", 44100, "stereo", ""),
        ("pcm51.mkv", "pcm_s16le", 48000, "5.1", "; its 6 channels are taken as 5.1"),
        ("quad.mov", "pcm_s16le", 48000, "quad", ""),
        ("pcm.mov", "pcm_s16le", 8000, "mono", ""),
        ("high.mkv", "flac", 192000, "stereo", "; resampled from 192000 to 96000 Hz"),
        ("cd.mkv", "flac", 37800, "stereo", "; resampled from 37800 to 44100 Hz"),
    ],
)
def test_sound_that_is_encoded_stays_in_time(
    tmp_path: Path, name: str, codec: str, rate: int, layout: str, said: str
) -> None:
    source = film(tmp_path / name, codec, rate, layout)
    plan = planned(source)
    assert plan.losses == (f"The sound ({codec}) is encoded as AAC, because mp4 does not hold it{said}.",)
    assert list(tmp_path.iterdir()) == [source]
    write_video(read(source), tmp_path / "out.mp4", sound=plan)
    assert heard(tmp_path / "out.mp4") == pytest.approx(CLICKS_S, abs=IN_TIME_S)
    write_video(read(tmp_path / "out.mp4"), tmp_path / "again.mp4")
    assert heard(tmp_path / "again.mp4") == pytest.approx(CLICKS_S, abs=IN_TIME_S)


def test_wma_whose_channels_have_no_names_is_encoded(tmp_path: Path) -> None:
    source = film(tmp_path / "x.wmv", "wmav2", 44100, "stereo", video="wmv2")
    for name in ("out.mp4", "out.mkv"):
        write_video(read(source), tmp_path / name)
        with av.open(tmp_path / name) as file:
            assert file.streams.audio[0].codec_context.name == "aac"
        # What FFmpeg's encoder of WMA makes has lost its first packet, and the click in it.
        assert heard(tmp_path / name)[-4:] == pytest.approx(heard(source)[-4:], abs=IN_TIME_S)


def as_apac(path: Path, track: int) -> None:
    """Gives a track the name of Apple's spatial codec, for which FFmpeg has no decoder."""
    data = bytearray(path.read_bytes())
    at = -1
    for _ in range(track + 1):
        at = data.find(b"stsd", at + 1)
    assert data[at + 16 : at + 20] == b"mp4a"
    data[at + 16 : at + 20] = b"apac"
    inner = data.find(b"esds", at)
    data[inner : inner + 4] = b"dapa"
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_track_without_a_decoder_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    source = film(tmp_path / "x.mov", "aac", tracks=2)
    as_apac(source, 2)
    plan = planned(source, name)
    assert plan.losses == ("Sound track 2 (of an unknown kind) is left out: no decoder for it is known.",)
    write_video(read(source), tmp_path / name)
    with av.open(tmp_path / name) as file:
        assert len(file.streams.audio) == 1
    assert heard(tmp_path / name) == pytest.approx(CLICKS_S, abs=IN_TIME_S)


def test_what_becomes_of_the_sound_is_said_before_anything_is_made(
    tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = film(tmp_path / "x.mov", "aac", tracks=2)
    as_apac(source, 2)
    usual, said_before = Editor.render, []

    def render(self: Editor, *args: Any, **options: Any) -> torch.Tensor:
        said_before.append(capsys.readouterr().err)
        return usual(self, *args, **options)

    monkeypatch.setattr(Editor, "render", render)
    out = ("--output", str(tmp_path / "out.mp4"), "--models", str(models_folder))
    assert main(["edit", str(source), "make it sepia", "--steps", "1", *out]) == DONE
    (said,) = said_before
    assert "Sound track 1 (aac) is copied." in said
    assert "warning: Sound track 2 (of an unknown kind) is left out: no decoder for it is known." in said


def mp2_packets(rate: int, layout: str, path: Path) -> list[bytes]:
    with av.open(path, "w", format="mp2") as output:
        tone = output.add_stream("mp2", rate=rate, layout=layout)
        wave = clicks(rate, tone.codec_context.layout.nb_channels)
        samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
        samples.sample_rate, samples.pts = rate, 0
        pieces = av.AudioResampler("s16", layout, rate, frame_size=1152)
        packets = [packet for piece in pieces.resample(samples) for packet in tone.encode(piece)]
        return [bytes(packet) for packet in packets]


def broadcast(path: Path, payloads: Sequence[bytes], lost: Sequence[int] = (), jump_s: int = 0) -> None:
    """A transport stream with mp2 sound of these packets, of 24 ms each; at the middle one the clock jumps."""
    with av.open(path, "w", format="mpegts") as output:
        stream = output.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        tone = output.add_stream("mp2", rate=48000, layout="mono")
        for index in range(25):
            frame = av.VideoFrame.from_ndarray(moving_square()[0]).reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        for index, payload in enumerate(payloads):
            if index in lost:
                continue
            packet = av.Packet(payload)
            packet.stream, packet.time_base = tone, Fraction(1, 90000)
            packet.pts = packet.dts = index * 2160 + (90000 * jump_s if index >= len(payloads) // 2 else 0)
            output.mux(packet)


def test_sound_that_changes_its_layout_on_the_way_is_encoded_whole(tmp_path: Path) -> None:
    """As television changes from a film in stereo to the news in mono."""
    mono = mp2_packets(48000, "mono", tmp_path / "mono.mp2")
    stereo = mp2_packets(48000, "stereo", tmp_path / "stereo.mp2")
    source = tmp_path / "x.ts"
    broadcast(source, mono[:20] + stereo[20:])
    write_video(read(source), tmp_path / "out.mp4")
    broadcast(source, mono)
    assert heard(tmp_path / "out.mp4") == pytest.approx(heard(source), abs=IN_TIME_S)


def test_a_gap_in_the_sound_is_silent_and_what_follows_stays_in_time(tmp_path: Path) -> None:
    packets = mp2_packets(48000, "mono", tmp_path / "mono.mp2")
    source = tmp_path / "x.ts"
    broadcast(source, packets, lost=range(12, 19))  # from 0.29 to 0.46 s, between two clicks
    write_video(read(source), tmp_path / "out.mp4")
    broadcast(source, packets)
    assert heard(tmp_path / "out.mp4") == pytest.approx(heard(source), abs=IN_TIME_S)


def test_a_clock_that_jumps_by_more_than_the_film_makes_no_silence(tmp_path: Path) -> None:
    """As damage of a time stamp does: half an hour of silence would be encoded for a film of a second."""
    packets = mp2_packets(48000, "mono", tmp_path / "mono.mp2")
    source = tmp_path / "x.ts"
    broadcast(source, packets, jump_s=1800)
    write_video(read(source), tmp_path / "out.mp4")
    broadcast(source, packets)
    assert heard(tmp_path / "out.mp4") == pytest.approx(heard(source), abs=IN_TIME_S)


def test_a_picture_that_the_form_does_not_hold_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    wide = Video(np.zeros((3, 16, 16400, 3), np.uint8), FPS)  # x264 goes to 16384
    with pytest.raises(ValueError, match=r"the output .*x.mp4 cannot be written as libx264 in mp4"):
        announce_result(wide, tmp_path / "x.mp4")
    announce_result(wide, tmp_path / "x.mkv")
    assert list(tmp_path.iterdir()) == []
