"""Long clips are read as they are needed, and what is finished is kept until the result stands."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import FrameReader, look_through
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.windows.window_store import FinishedWindow, WindowStore
from tests.conftest import moving_square


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "clip.mp4"
    times = tuple(Fraction(index, 10) + (index > 5) * Fraction(1, 3) for index in range(23))
    write_video(Video(moving_square(23, 18, 32), Fraction(10), times_s=times), path)
    return path


def test_a_clip_that_was_looked_through_is_known_as_if_it_was_read(clip: Path) -> None:
    header, video = look_through(clip, folder_fps=Fraction(1)), read_video(clip, folder_fps=Fraction(1))
    assert (header.num_frames, header.size) == (23, (18, 32))
    assert (header.video.fps, header.video.times_s) == (video.fps, video.times_s)
    assert (header.video.pixel_aspect, header.video.start_s) == (video.pixel_aspect, video.start_s)


def test_parts_are_the_frames_of_the_clip(clip: Path) -> None:
    frames = read_video(clip, folder_fps=Fraction(1)).frames
    reader = FrameReader(clip)
    for first, end in ((0, 9), (4, 13), (14, 23)):
        assert np.array_equal(reader.part(first, end), frames[first:end])
    reader.close()
    late = FrameReader(clip)
    assert np.array_equal(late.part(20, 22), frames[20:22])
    late.close()


def test_a_folder_is_read_the_same_way(tmp_path: Path) -> None:
    for index, image in enumerate(moving_square(11)):
        Image.fromarray(image).save(tmp_path / f"frame_{index}.png")
    header = look_through(tmp_path, folder_fps=Fraction(12))
    assert (header.num_frames, header.size, header.video.fps) == (11, (32, 32), 12)
    assert np.array_equal(FrameReader(tmp_path).part(9, 11), moving_square(11)[9:])


def test_damage_is_found_before_the_work(clip: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mkv"
    short.write_bytes(clip.read_bytes()[:600])
    with pytest.raises(BadInput, match=r"cannot be read as video|cut short"):
        look_through(short, folder_fps=Fraction(1))
    with pytest.raises(BadInput, match="there is no clip"):
        look_through(tmp_path / "none.mp4", folder_fps=Fraction(1))


def window(seed: int, frames: int = 3) -> FinishedWindow:
    pictures = np.random.default_rng(seed).integers(0, 256, (frames, 7, 5, 3), dtype=np.uint8)
    return FinishedWindow(pictures, {"latents": torch.full((2, 2), float(seed))})


def test_what_is_finished_comes_back_bit_for_bit(tmp_path: Path) -> None:
    store = WindowStore(tmp_path / "x.mp4", {"seed": 1})
    assert store.open() == 0
    store.add(0, window(0))
    store.add(1, window(1, frames=1))
    again = WindowStore(tmp_path / "x.mp4", {"seed": 1})
    assert again.open() == 2
    for number, frames in ((0, 3), (1, 1)):
        assert np.array_equal(np.stack(list(again.pictures(number))), window(number, frames).pictures)
    assert again.carried(1)["latents"].tolist() == [[1, 1], [1, 1]]
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_was_not_named_yet_does_not_count(tmp_path: Path) -> None:
    store = WindowStore(tmp_path / "x.mp4", {})
    store.open()
    store.add(0, window(0))
    (store.folder / "00001.safetensors").write_bytes(b"carried, but without pictures")
    (store.folder / ".00001.77.part").write_bytes(b"half a file")
    assert WindowStore(tmp_path / "x.mp4", {}).open() == 1


def test_another_run_begins_anew_and_says_what_differs(tmp_path: Path) -> None:
    first = WindowStore(tmp_path / "x.mp4", {"seed": 1, "clip": "a", "fit": None})
    first.open()
    first.add(0, window(0))
    other = WindowStore(tmp_path / "x.mp4", {"seed": 2, "clip": "a", "fit": None})
    assert other.open() == 0
    assert other.leftover == ("seed",)
    assert sorted(path.name for path in other.folder.iterdir()) == ["state.json"]


def test_what_somebody_else_keeps_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.mp4.windows").mkdir()
    (tmp_path / "x.mp4.windows" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="is in the way"):
        WindowStore(tmp_path / "x.mp4", {}).open()
    assert (tmp_path / "x.mp4.windows" / "notes.txt").read_text() == "mine"
