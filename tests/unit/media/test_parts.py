"""A part of a clip is those frames to the bit, with their times and their sound; two clips are one film, however long."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import look_through
from reelpatch.media.part import Stretch, stretch_between, write_stretch
from reelpatch.media.stacked_files import stacked_files
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.unit.media.test_clip_matrix import film

FPS, FRAMES = Fraction(8), 24


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    film(tmp_path / "clip.mp4", FPS, FRAMES, (48, 40), has_sound=True, turn=0)
    return tmp_path / "clip.mp4"


def test_a_part_has_its_frames_and_its_stretch_of_the_sound(clip: Path, tmp_path: Path) -> None:
    header, part = look_through(clip, folder_fps=FPS), tmp_path / "part.mkv"
    stretch = stretch_between(header, Fraction(1, 2), Fraction(1))
    assert stretch == Stretch(4, 12)
    write_stretch(header, stretch, part)
    made, source = (read_video(path, folder_fps=FPS) for path in (part, clip))
    assert np.array_equal(made.frames, source.frames[4:12])
    assert made.fps == FPS
    # What decoders need before the first sample stands in front of the first frame.
    begins_s = made.start_s
    with av.open(str(part)) as container:
        (track,) = container.streams.audio
        ends_s = [(frame.pts * frame.time_base, frame.samples) for frame in container.decode(track)]
    packet_s = Fraction(1024, track.rate)
    assert ends_s[0][0] <= begins_s
    assert abs(ends_s[-1][0] + packet_s - begins_s - 1) <= packet_s


@pytest.mark.parametrize(
    ("start", "seconds", "frames"),
    [(0, 0, (0, 24)), (2, 0, (16, 24)), (0, 1, (0, 8)), (2.9, 9, None), (1.13, 0.2, (10, 11))],
)
def test_frames_that_begin_in_it_are_taken(
    clip: Path, start: float, seconds: float, frames: tuple[int, int] | None
) -> None:
    header = look_through(clip, folder_fps=FPS)
    times = Fraction(str(start)), Fraction(str(seconds))
    if frames is None:
        with pytest.raises(BadInput, match=r"no frame of clip\.mp4 begins between 2.9 and 11.9 s"):
            stretch_between(header, *times)
        return
    assert stretch_between(header, *times) == Stretch(*frames)


def test_a_film_with_times_of_its_own_keeps_them(tmp_path: Path) -> None:
    times = tuple(Fraction(number, 10) for number in (0, 1, 3, 4, 8, 9))
    pictures = np.zeros((6, 16, 16, 3), np.uint8)
    path, part = tmp_path / "uneven.mkv", tmp_path / "part.mkv"
    write_video(Video(pictures, Fraction(6), times_s=times, last_s=Fraction(1, 10)), path)
    header = look_through(path, folder_fps=FPS)
    write_stretch(header, stretch_between(header, Fraction(3, 10), Fraction(0)), part)
    made = read_video(part, folder_fps=FPS)
    assert made.times_s is not None
    assert [float(time) for time in made.times_s] == pytest.approx([0, 0.1, 0.5, 0.6], abs=0.002)


def test_tags_stand_in_the_file(tmp_path: Path) -> None:
    video = Video(np.zeros((2, 16, 16, 3), np.uint8), FPS, comment="said", tags={"workflow": '{"a": 1}'})
    for name in ("made.mp4", "made.mkv"):
        write_video(video, tmp_path / name)
        with av.open(str(tmp_path / name)) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
        assert tags["workflow"] == '{"a": 1}'
        assert tags["comment"] == "said"


def test_two_films_of_which_one_has_sound(clip: Path, tmp_path: Path) -> None:
    after, both = tmp_path / "after.mp4", tmp_path / "both.mp4"
    source = read_video(clip, folder_fps=FPS)
    write_video(Video(255 - source.frames, FPS), after)
    made = stacked_files(clip, after, both, crf=10)
    (height, width), (left, top) = made.look.size, made.look.after_at
    shown = read_video(both, folder_fps=FPS)
    assert len(shown.frames) == made.num_frames == FRAMES
    assert (
        abs(shown.frames[:, :height, :width].astype(int) - source.frames).mean() < 4
    )  # what the codec loses, of 255
    second = shown.frames[:, top : top + height, left : left + width].astype(int)
    assert abs(second - (255 - source.frames.astype(int))).mean() < 8
    with av.open(str(both)) as container:
        assert len(container.streams.audio) == 1
    assert stacked_files(clip, after, both, crf=10, fps=Fraction(4)).fps == 4


def test_a_film_beside_a_shorter_and_smaller_one_is_shown_as_that_is(clip: Path, tmp_path: Path) -> None:
    """The frames of the same numbers, halved; the sound of all of it is not put under a part."""
    after, both = tmp_path / "after.mp4", tmp_path / "both.mp4"
    source = read_video(clip, folder_fps=FPS)
    small = source.frames[4:20, ::2, ::2]
    write_video(Video(small, FPS), after)
    made = stacked_files(clip, after, both, crf=10)
    assert (made.num_frames, made.source, made.look.size) == (16, small.shape[1:3], small.shape[1:3])
    assert made.told.startswith(
        "Before (24 frames of 40x48) is shown as after is (16 frames of 20x24): scaled"
    )
    shown = read_video(both, folder_fps=FPS)
    height, width = made.look.size
    halved = source.frames[:16].reshape(16, height, 2, width, 2, 3).mean((2, 4))
    assert len(shown.frames) == 16
    assert abs(shown.frames[:, :height, :width] - halved).mean() < 4  # codec and filter, of 255
    with av.open(str(both)) as container:
        assert len(container.streams.audio) == 0
