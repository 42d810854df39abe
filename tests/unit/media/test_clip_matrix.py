"""What comes in goes out: length, size, rate and sound, for every rate and the awkward sizes, lengths and turns.

The edit itself is left out; what stands around it (reading, finishing by a mask, writing) is all here.
"""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.finish import Finish
from reelpatch.clips.worked_clip import Finishing
from reelpatch.families.wan.family import WAN
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video

SOUND_RATE = 48000
RATES = [Fraction(24000, 1001), *map(Fraction, (24, 25)), Fraction(30000, 1001), *map(Fraction, (30, 60))]
# Frames, (height, width), whether it has sound, and by how many degrees it is to be turned.
CLIPS = [
    (1, (32, 48), False, 0),
    (1, (18, 16), True, 0),
    (2, (33, 47), True, 0),
    (73, (16, 24), True, 90),
    (100, (24, 16), False, -90),
]
# Long enough for what rounding of times would add up to; the rates are those of which no clock has a whole number.
LONG = [(500, (16, 18), True, 0), (500, (17, 16), False, 180)]
ALL = [
    *((clip, rate) for clip in CLIPS for rate in RATES),
    *((clip, rate) for clip in LONG for rate in RATES if rate.denominator > 1),
]


def film(path: Path, rate: Fraction, frames: int, size: tuple[int, int], has_sound: bool, turn: int) -> None:
    """As a phone or an editing program makes it."""
    height, width = size
    codec, pixel_format = (
        ("libx264", "yuv444p") if height % 2 or width % 2 else ("libx264", "yuv420p")
    )  # odd sizes have no 4:2:0
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=rate, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
        stream.codec_context.time_base = 1 / rate
        if turn:
            stream.set_display_rotation(turn)
        tone = output.add_stream("aac", rate=SOUND_RATE, layout="mono") if has_sound else None
        ramp = np.linspace(0, 255, width, dtype=np.uint8)
        for index in range(frames):
            image = np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()
            image[..., 1] = index % 256
            frame = av.VideoFrame.from_ndarray(image).reformat(format=pixel_format)
            frame.pts, frame.time_base = index, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if tone is not None:
            wave = np.sin(np.arange(round(frames / rate * SOUND_RATE)) * 0.06).astype(np.float32)[None] / 3
            samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
            pieces = av.AudioResampler(format="fltp", layout="mono", rate=SOUND_RATE, frame_size=1024)
            for piece in [*pieces.resample(samples), *pieces.resample(None), None]:
                output.mux(tone.encode(piece))


def sound(path: Path) -> tuple[list[bytes], float]:
    """The packets as they are stored, and when the first of them sounds, counted from the first frame."""
    with av.open(path) as file:
        if not file.streams.audio:
            return [], 0.0
        pictures = [packet for packet in file.demux(video=0) if packet.size]
    with av.open(path) as file:
        packets = [packet for packet in file.demux(audio=0) if packet.size]
        first_frame = min(packet.pts * packet.time_base for packet in pictures)
        first_sound = min(packet.pts * packet.time_base for packet in packets)
        return [bytes(packet) for packet in packets], float(first_sound - first_frame)


@pytest.mark.parametrize(("clip", "rate"), ALL, ids=str)
def test_the_result_has_the_source_s_length_size_rate_and_sound(
    tmp_path: Path, clip: tuple[int, tuple[int, int], bool, int], rate: Fraction
) -> None:
    num_frames, (height, width), has_sound, turn = clip
    path = tmp_path / "source.mp4"
    film(path, rate, num_frames, (height, width), has_sound, turn)
    source = read_video(path, folder_fps=Fraction(1))
    shown = (width, height) if turn in {90, -90} else (height, width)
    assert source.frames.shape == (num_frames, *shown, 3)
    assert source.fps == rate
    assert source.times_s is None

    mask = torch.zeros(num_frames, *shown)
    mask[:, 4:9, 4:9] = 1
    part = Finishing(Finish(feather_px=2)).part_of(to_floats(source.frames), mask, lattice=WAN.lattice)
    made = to_bytes(part.finished(1 - part.clip))
    kept = np.ones(shown, bool)
    kept[2:11, 2:11] = False
    for out in (tmp_path / "out.mp4", tmp_path / "out.mkv"):
        write_video(replace(source, frames=made), out)
        result = read_video(out, folder_fps=Fraction(1))
        assert result.frames.shape == source.frames.shape
        assert result.fps == rate
        assert result.times_s is None
        assert sound(out)[0] == sound(path)[0]
        # Matroska counts in milliseconds.
        assert sound(out)[1] == pytest.approx(sound(path)[1], abs=0.0015)
        assert bool(sound(out)[0]) == has_sound
        if out.suffix == ".mkv":
            assert np.array_equal(result.frames[:, kept], source.frames[:, kept])
            assert np.array_equal(result.frames, made)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_at_uneven_times_keep_them(tmp_path: Path, suffix: str) -> None:
    times = tuple(Fraction(time, 1000) for time in (0, 40, 80, 200, 233, 400, 1000))
    frames = np.random.default_rng(1).integers(0, 256, (7, 16, 16, 3)).astype(np.uint8)
    rate = (len(times) - 1) / times[-1]
    write_video(Video(frames, rate, times_s=times), tmp_path / f"x{suffix}")
    again = read_video(tmp_path / f"x{suffix}", folder_fps=Fraction(1))
    assert again.times_s == times
    assert len(again.frames) == 7
