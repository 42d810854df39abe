"""A clip comes back from disk with its pixels, colours, times, sound and the right way up."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from reelpatch.measure.likeness import psnr
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square

RATE = 48000
FPS = Fraction(24)


def read(path: Path) -> Video:
    return read_video(path, folder_fps=FPS)


def decibels(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return psnr(torch.from_numpy(one) / 255, torch.from_numpy(other) / 255)


def make(
    path: Path,
    *,
    codec: str = "libx264",
    sound: str | None = None,
    fps: Fraction = Fraction(30),
    times: list[int] | None = None,
    prepare: Callable[..., None] = lambda _stream: None,
    pix_fmt: str = "yuv420p",
) -> NDArray[np.uint8]:
    """A file as other programs make them: 9 frames, and half a second of a tone."""
    clip = moving_square()
    with av.open(path, "w") as output:
        # With its macroblock tree x264 makes other bytes of such small frames from time to time.
        options = {"x264-params": "mbtree=0"} if codec == "libx264" else {}
        stream = output.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = *clip.shape[1:3], pix_fmt
        prepare(stream)
        tone = output.add_stream(sound, rate=RATE, layout="stereo") if sound else None
        for index, image in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(image).reformat(
                format=pix_fmt, dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base = (times or range(9))[index], 1 / fps
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if tone is not None:
            wave = np.sin(np.arange(RATE // 2) * 0.06).astype(np.float32) / 3
            samples = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
            samples.sample_rate, samples.pts, samples.time_base = RATE, 0, Fraction(1, RATE)
            pieces = av.AudioResampler(
                format=tone.codec_context.format, rate=RATE, frame_size=tone.codec_context.frame_size or 1024
            )
            for piece in [*pieces.resample(samples), *pieces.resample(None), None]:
                output.mux(tone.encode(piece))
    return clip


def packets(path: Path) -> list[bytes]:
    with av.open(path) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def test_a_round_trip_keeps_pixels_rate_and_length(tmp_path: Path) -> None:
    clip = moving_square(9, 64, 96)
    write_video(Video(clip, Fraction(30000, 1001)), tmp_path / "x.mp4")
    again = read(tmp_path / "x.mp4")
    assert again.fps == Fraction(30000, 1001)
    assert again.times_s is None
    assert again.frames.shape == clip.shape
    assert decibels(again.frames, clip) > 40


@pytest.mark.parametrize("size", [(64, 64), (63, 61)], ids=["even", "odd"])
def test_colours_do_not_shift(tmp_path: Path, size: tuple[int, int]) -> None:
    # Patches of 16 px, looked at in their middle: away from the edges that 4:2:0 softens, what is left is a shift.
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    clip = np.repeat(colours.repeat(16, 0).repeat(16, 1)[None, : size[0], : size[1]], 5, axis=0)
    write_video(Video(clip, FPS), tmp_path / "x.mp4", crf=0)
    again = read(tmp_path / "x.mp4").frames
    assert again.shape == clip.shape
    off = again[:, 7:57:16, 7:57:16].astype(int) - clip[:, 7:57:16, 7:57:16]
    assert np.abs(off).max() <= 3
    assert np.abs(off.mean(axis=(0, 1, 2))).max() < 0.6
    with av.open(tmp_path / "x.mp4") as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 1)


def test_an_untagged_small_clip_is_read_as_bt601(tmp_path: Path) -> None:
    clip = make(tmp_path / "x.mp4", prepare=lambda stream: setattr(stream, "options", {"crf": "0"}))
    assert decibels(read(tmp_path / "x.mp4").frames, clip) > 30


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("x.mp4", "libx264", "aac"),
        ("x.mov", "libx264", "aac"),
        ("x.mkv", "libx264", "libmp3lame"),
        ("x.webm", "libvpx-vp9", "libopus"),
    ],
)
def test_sound_is_copied_packet_by_packet(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    make(tmp_path / name, codec=codec, sound=sound)
    video = read(tmp_path / name)
    assert video.fps == 30
    assert video.times_s is None
    write_video(video, tmp_path / "out.mp4")
    assert packets(tmp_path / "out.mp4") == packets(tmp_path / name)
    assert len(read(tmp_path / "out.mp4").frames) == 9


def test_sound_that_mp4_does_not_hold_is_encoded(tmp_path: Path) -> None:
    make(tmp_path / "x.mov", sound="pcm_s16le")
    write_video(read(tmp_path / "x.mov"), tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as file:
        stream = file.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert float(stream.duration * stream.time_base) == pytest.approx(0.5, abs=0.03)


def test_matroska_takes_that_sound_as_it_is(tmp_path: Path) -> None:
    make(tmp_path / "x.mov", sound="pcm_s16le")
    write_video(read(tmp_path / "x.mov"), tmp_path / "out.mkv")
    assert b"".join(packets(tmp_path / "out.mkv")) == b"".join(packets(tmp_path / "x.mov"))


def test_sound_is_cut_where_the_clip_was(tmp_path: Path) -> None:
    make(tmp_path / "x.mp4", sound="aac")
    video = read(tmp_path / "x.mp4")
    short = Video(video.frames[:5], video.fps, audio=video.audio, sound_end_s=Fraction(5, 30))
    write_video(short, tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as file:
        stream = file.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(5 / 30, abs=0.03)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0, 1, 2, 5, 6, 7, 11, 12, 20]
    make(tmp_path / "x.mp4", times=times)
    video = read(tmp_path / "x.mp4")
    assert video.times_s == tuple(Fraction(time, 30) for time in times)
    write_video(video, tmp_path / "out.mp4")
    assert read(tmp_path / "out.mp4").times_s == video.times_s


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_clip_filmed_sideways_is_turned_upright(tmp_path: Path, degrees: int) -> None:
    make(tmp_path / "plain.mp4")
    make(tmp_path / "x.mp4", prepare=lambda stream: stream.set_display_rotation(degrees))
    expected = np.rot90(read(tmp_path / "plain.mp4").frames, degrees // 90, axes=(1, 2))
    turned = read(tmp_path / "x.mp4").frames
    assert turned.shape == expected.shape
    # swscale's rounding depends on how the frames happen to lie in memory.
    assert np.abs(turned.astype(int) - expected).max() <= 2


def test_small_clips_have_the_same_bytes_every_time(tmp_path: Path) -> None:
    """While other frames are read, whose memory is then used again: so long runs write their results."""
    noise = np.random.default_rng(0).integers(0, 256, (21, 32, 24, 3), dtype=np.uint8)
    make(tmp_path / "other.mp4")

    class Slowly:
        shape = noise.shape

        def __iter__(self) -> Iterator[NDArray[np.uint8]]:
            for image in noise:
                read(tmp_path / "other.mp4")
                yield image

    written: set[bytes] = set()
    for _ in range(6):
        write_video(Video(noise, Fraction(8)), tmp_path / "x.mp4", pictures=Slowly())
        written.add((tmp_path / "x.mp4").read_bytes())
    write_video(Video(noise, Fraction(8)), tmp_path / "x.mp4")
    assert written == {(tmp_path / "x.mp4").read_bytes()}


def test_a_gif_is_read(tmp_path: Path) -> None:
    clip = moving_square()
    images = [Image.fromarray(image) for image in clip]
    images[0].save(tmp_path / "x.gif", save_all=True, append_images=images[1:], duration=100)
    video = read(tmp_path / "x.gif")
    assert video.fps == 10
    assert video.frames.shape == clip.shape
    assert decibels(video.frames, clip) > 25


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    clip = moving_square(11)
    for index, image in enumerate(clip):
        Image.fromarray(image).save(tmp_path / f"frame_{index}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    video = read(tmp_path)
    assert video.fps == FPS
    assert np.array_equal(video.frames, clip)


def test_pixels_that_are_not_square_stay_so(tmp_path: Path) -> None:
    clip = Video(moving_square(), FPS, pixel_aspect=Fraction(4, 3))
    write_video(clip, tmp_path / "x.mp4")
    assert read(tmp_path / "x.mp4").pixel_aspect == Fraction(4, 3)
