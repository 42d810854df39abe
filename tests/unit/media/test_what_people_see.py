"""What is edited is what a player shows: upright, progressive, with alpha, of the right stream, every frame at its time."""

import logging
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.media.clip_size import clip_size
from reelpatch.media.frame_reader import FrameReader, look_through
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.unit.media.numbered import SIDE, film, numbers, patch, picture

ONE = 0x10000


def read(path: Path) -> Video:
    return read_video(path, folder_fps=Fraction(24))


@pytest.fixture
def words(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("reelpatch"), "propagate", True)
    caplog.set_level(logging.INFO, "reelpatch")
    return caplog


@pytest.mark.parametrize("swaps", [False, True])
@pytest.mark.parametrize("y", [1, -1])
@pytest.mark.parametrize("x", [1, -1])
def test_every_display_matrix_is_followed(tmp_path: Path, x: int, y: int, swaps: bool) -> None:
    """A front camera's mirror is one of the eight; by hand, stored (p, q) is shown at (a p + c q, b p + d q)."""
    film(tmp_path / "stored.mp4")
    stored = read(tmp_path / "stored.mp4").frames
    a, b, c, d = (0, y, x, 0) if swaps else (x, 0, 0, y)
    shift = [(SIDE if sign < 0 else 0) * ONE for sign in (x, y)]
    matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, *shift, 0x40000000]
    film(tmp_path / "clip.mp4")
    patch(tmp_path / "clip.mp4", lambda data: struct.pack_into(">9i", data, data.find(b"tkhd") + 44, *matrix))
    shown = np.empty_like(stored)
    for q in range(SIDE):
        for p in range(SIDE):
            shown[:, (b * p + d * q) % SIDE, (a * p + c * q) % SIDE] = stored[:, q, p]
    # x -> -x maps 0..63 to 0, 63..1 modulo the side; one more step makes it 63..0.
    shown = np.roll(shown, [-1 if y < 0 else 0, -1 if x < 0 else 0], (1, 2))
    # swscale's rounding depends on how the frames happen to lie in memory.
    assert np.abs(read(tmp_path / "clip.mp4").frames.astype(int) - shown).max() <= 2


def test_pixels_of_a_turned_square_picture_are_turned_too(tmp_path: Path) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    film(tmp_path / "clip.mp4", prepare=prepare)
    assert read(tmp_path / "clip.mp4").pixel_aspect == Fraction(3, 4)
    assert look_through(tmp_path / "clip.mp4", folder_fps=Fraction(1)).video.pixel_aspect == Fraction(3, 4)
    assert clip_size(tmp_path / "clip.mp4") == (9, (SIDE, SIDE))


def combs(frames: np.ndarray) -> float:
    """How much lines differ from both neighbours more than those from each other, right of the numbers."""
    lines = frames[:, :, 8:].astype(float)
    return float(np.abs(lines[:, 1:-1] - (lines[:, :-2] + lines[:, 2:]) / 2).mean())


@pytest.mark.parametrize("count", [1, 2, 9])
def test_interlaced_frames_lose_their_combs_and_nothing_else(
    tmp_path: Path, words: pytest.LogCaptureFixture, count: int
) -> None:
    moments = []
    for index in range(2 * count):
        image = picture(index // 2)
        image[:, 8 + 2 * index : 28 + 2 * index] = 240
        moments.append(image)
    woven = [moments[2 * index].copy() for index in range(count)]
    for index, image in enumerate(woven):
        image[1::2] = moments[2 * index + 1][1::2]
    options = {"crf": "2", "flags": "+ildct+ilme", "x264-params": "tff=1"}
    film(tmp_path / "clip.mp4", woven, options=options)
    video = read(tmp_path / "clip.mp4")
    assert numbers(video.frames) == list(range(count))
    assert (video.fps, video.times_s) == (25, None)
    assert combs(video.frames) < combs(np.stack(woven)) / 3
    assert ["is interlaced; it is deinterlaced" in line for line in words.messages] == [True]
    reader = FrameReader(tmp_path / "clip.mp4")
    assert np.array_equal(reader.part(0, count), video.frames)
    reader.close()


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_alpha_of_webm_is_laid_on_black(tmp_path: Path, words: pytest.LogCaptureFixture, codec: str) -> None:
    opaque = np.full((SIDE, SIDE, 1), 255, np.uint8)
    opaque[:, 40:] = 0
    images = [np.dstack([picture(index), opaque]) for index in range(9)]
    options = {"crf": "8", "b": "2M", "auto-alt-ref": "0", "cpu-used": "8"}
    film(tmp_path / "clip.webm", images, codec=codec, pix_fmt="yuva420p", options=options)
    frames = read(tmp_path / "clip.webm").frames
    assert numbers(frames) == list(range(9))
    assert frames[:, :, 44:].max() <= 2
    assert frames[:, :, 30:36].min() > 30
    assert ["laid on black" in line for line in words.messages] == [True]


def test_the_default_stream_is_edited_and_a_cover_is_no_clip(
    tmp_path: Path, words: pytest.LogCaptureFixture
) -> None:
    for name, numbers_shown in (("other", [7] * 5), ("main", [1, 2, 3, 4, 5])):
        film(tmp_path / f"{name}.mkv", [picture(number) for number in numbers_shown])
    with (
        av.open(tmp_path / "other.mkv") as other,
        av.open(tmp_path / "main.mkv") as main,
        av.open(tmp_path / "clip.mkv", "w") as output,
    ):
        copies = [output.add_stream_from_template(source.streams.video[0]) for source in (other, main)]
        for copy, disposition in zip(copies, (0, Disposition.default), strict=True):
            copy.disposition = disposition
        for source, copy in zip((other, main), copies, strict=True):
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = copy
                    output.mux(packet)
    assert numbers(read(tmp_path / "clip.mkv").frames) == [1, 2, 3, 4, 5]
    assert ["holds 2 video streams; number 2" in line for line in words.messages] == [True]
    assert clip_size(tmp_path / "clip.mkv")[0] == 5


def test_a_last_frame_that_lasts_long_is_no_missing_end(tmp_path: Path) -> None:
    film(tmp_path / "whole.mkv")
    with av.open(tmp_path / "whole.mkv") as source, av.open(tmp_path / "clip.mkv", "w") as output:
        copy = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux() if packet.dts is not None]
        max(packets, key=lambda packet: packet.pts or 0).duration = 1000
        for packet in packets:
            packet.stream = copy
            output.mux(packet)
    assert numbers(read(tmp_path / "clip.mkv").frames) == list(range(9))
    data = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 9 // 10])
    with pytest.raises(BadInput, match=r"is cut short: .* bytes"):
        read(tmp_path / "cut.mkv")


def last_shown_for(path: Path, seconds: int) -> None:
    """A film in milliseconds, 40 of them for each frame, of which the last one stays on the screen."""
    film(path.with_stem("short"), times_ms=[40 * index for index in range(9)])
    with av.open(path.with_stem("short")) as source, av.open(path, "w") as output:
        copy = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux() if packet.dts is not None]
        last = max(packets, key=lambda packet: packet.pts or 0)
        last.duration = round(seconds / last.time_base)
        for packet in packets:
            packet.stream = copy
            output.mux(packet)


@pytest.mark.parametrize("source", [".mkv", ".mp4"])
@pytest.mark.parametrize("result", [".mkv", ".mp4"])
def test_a_last_frame_that_lasts_long_does_so_in_the_result(tmp_path: Path, source: str, result: str) -> None:
    clip, made = tmp_path / f"clip{source}", tmp_path / f"made{result}"
    last_shown_for(clip, 3)
    video, header = read(clip), look_through(clip, folder_fps=Fraction(24))
    assert video.duration_s == header.video.shown_s(9) == pytest.approx(8 * 0.04 + 3)
    write_video(video, made)
    again = read(made)
    assert again.duration_s == pytest.approx(8 * 0.04 + 3, abs=0.002)
    with av.open(made) as file:
        assert float(file.duration or 0) / av.time_base == pytest.approx(8 * 0.04 + 3, abs=0.05)
    short = video.cut(5)
    assert short.duration_s == short.sound_end_s == pytest.approx(5 * 0.04)


def test_the_last_picture_of_a_gif_stays_as_long_as_it_did(tmp_path: Path) -> None:
    images = [Image.fromarray(picture(number)) for number in range(3)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[100, 100, 2000])
    write_video(read(tmp_path / "a.gif"), tmp_path / "a.mp4")
    assert read(tmp_path / "a.mp4").duration_s == pytest.approx(2.2)


def test_a_dropped_frame_of_an_avi_is_no_missing_end(tmp_path: Path) -> None:
    """Capture programs write an empty chunk: the frame before is shown once more."""
    film(tmp_path / "clip.avi", codec="mjpeg", pix_fmt="yuvj420p", options={"qscale": "2"})

    def drop(data: bytearray) -> None:
        at = data.find(b"movi")
        for _ in range(5):
            at = data.find(b"00dc", at + 4)
        size = struct.unpack_from("<I", data, at + 4)[0]
        size += size % 2
        data[at + 4 : at + 8 + size] = bytes(4) + b"JUNK" + struct.pack("<I", size - 8) + bytes(size - 8)
        index = data.find(b"idx1") + 8 + 16 * 4
        data[index + 12 : index + 16] = bytes(4)

    patch(tmp_path / "clip.avi", drop)
    video = read(tmp_path / "clip.avi")
    assert numbers(video.frames) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert video.times_s == tuple(Fraction(index, 25) for index in (0, 1, 2, 3, 5, 6, 7, 8))
    data = (tmp_path / "clip.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) * 9 // 10])
    with pytest.raises(BadInput, match="is cut short"):
        read(tmp_path / "cut.avi")


@pytest.mark.parametrize("fps", [240, 1200])
def test_a_rate_that_milliseconds_do_not_hold_stays_fixed(tmp_path: Path, fps: int) -> None:
    film(tmp_path / "clip.mkv", [picture(index) for index in range(30)], fps=fps)
    video = read(tmp_path / "clip.mkv")
    assert (video.fps, video.times_s) == (fps, None)
    assert numbers(video.frames) == list(range(30))


def test_frames_with_one_time_share_what_is_left_until_the_next(tmp_path: Path) -> None:
    film(tmp_path / "whole.mkv", times_ms=[40 * index for index in range(9)])
    times = [0, 40, 40, 80, 400, 440, 1000, 1000, 1000]
    with av.open(tmp_path / "whole.mkv") as source, av.open(tmp_path / "clip.mkv", "w") as output:
        copy = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts = packet.dts = times[round(packet.pts / 40)]
            packet.stream = copy
            output.mux(packet)
    video = read(tmp_path / "clip.mkv")
    assert video.times_s is not None
    assert video.times_s[:7] == tuple(Fraction(ms, 1000) for ms in (0, 40, 60, 80, 400, 440, 1000))
    assert video.times_s[6] < video.times_s[7] < video.times_s[8]
    assert numbers(video.frames) == list(range(9))


@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(8, 9), Fraction(1001, 1000)], ids=str)
@pytest.mark.parametrize("name", ["x.mp4", "lossless.mp4", "x.mkv"])
@pytest.mark.parametrize("has_sound", [False, True])
def test_every_film_says_how_wide_its_pixels_are(
    tmp_path: Path, name: str, aspect: Fraction, has_sound: bool
) -> None:
    sound = None
    if has_sound:
        sound = tmp_path / "sound.mkv"
        with av.open(sound, "w") as output:
            tone = output.add_stream("aac", rate=48000, layout="mono")
            samples = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            samples.sample_rate, samples.pts = 48000, 0
            for piece in (samples, None):
                output.mux(tone.encode(piece))
    frames = np.stack([picture(index)[:, :48] for index in range(5)])
    video = Video(frames, Fraction(24), pixel_aspect=aspect, audio=sound)
    write_video(video, tmp_path / name, lossless=name == "lossless.mp4")
    again = read(tmp_path / name)
    assert again.pixel_aspect == aspect
    assert numbers(again.frames) == list(range(5))
    assert bool(again.audio) == has_sound
    with av.open(tmp_path / name) as file:
        assert "title" not in file.streams.video[0].metadata


def test_images_of_a_folder_say_how_wide_their_pixels_are(tmp_path: Path) -> None:
    write_video(
        Video(np.stack([picture(0)]), Fraction(24), pixel_aspect=Fraction(16, 11)), tmp_path / "frames"
    )
    with Image.open(tmp_path / "frames" / "frame_00000.png") as file:
        across, down = file.info["dpi"]
    assert down / across == pytest.approx(
        16 / 11, rel=1e-6
    )  # of dots in a metre, wide pixels have fewer across
    assert read(tmp_path / "frames").pixel_aspect == Fraction(16, 11)
    assert look_through(tmp_path / "frames", folder_fps=Fraction(1)).video.pixel_aspect == Fraction(16, 11)
