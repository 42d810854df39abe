"""Results without loss: what is read back from the file is, bit for bit, what was made."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.demo import scenes
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video

FPS = Fraction(24000, 1001)
FORMS = [("x.mkv", ()), ("x.mp4", ("--lossless",)), ("x", ())]


def noise(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [(32, 48), (37, 41), (1, 1)])
@pytest.mark.parametrize(("name", "options"), FORMS)
def test_noise_comes_back_bit_for_bit(
    tmp_path: Path, name: str, options: tuple[str, ...], size: tuple[int, int]
) -> None:
    clip = noise(5, *size)
    write_video(Video(clip, FPS), tmp_path / name, lossless=bool(options))
    again = read_video(tmp_path / name, folder_fps=FPS)
    assert np.array_equal(again.frames, clip)
    assert again.fps == FPS
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_every_value_of_a_colour_comes_back(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8)
    clip = np.stack(np.meshgrid(values, values[::5], values[::51], indexing="ij"), -1).reshape(1, 256, -1, 3)
    for name, options in FORMS:
        write_video(Video(clip, FPS), tmp_path / name, lossless=bool(options))
        assert np.array_equal(read_video(tmp_path / name, folder_fps=FPS).frames, clip), name


def test_matroska_holds_ffv1_in_rgb(tmp_path: Path) -> None:
    write_video(Video(noise(2, 16, 16), FPS), tmp_path / "x.mkv")
    with av.open(tmp_path / "x.mkv") as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("ffv1", "bgr0")


@pytest.mark.parametrize(("name", "options"), FORMS)
@pytest.mark.parametrize("finishing", [(), ("--grow", "1", "--feather", "3", "--match", "mean")])
def test_an_edit_keeps_every_value_beyond_the_feather(
    tmp_path: Path, name: str, options: tuple[str, ...], finishing: tuple[str, ...]
) -> None:
    """By the demo's own weights, from an mp4 to a file: the source as it is read is the measure."""
    source = (scenes.example(scenes.HELD_OUT).source * 255).round().astype(np.uint8)
    write_video(Video(source, Fraction(8)), tmp_path / "clip.mp4")
    mask = np.zeros(source.shape[1:3], np.uint8)
    mask[20:40, 10:44] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / "made" / name
    out.parent.mkdir()
    given = [tmp_path / "clip.mp4", "make it sepia", "--mask", tmp_path / "mask.png", "--output", out]
    assert main(["edit", *map(str, given), "--steps", "1", *options, *finishing]) == DONE
    before, after = (read_video(path, folder_fps=Fraction(8)).frames for path in (tmp_path / "clip.mp4", out))
    reach = 4 if finishing else 0
    touched = np.zeros(mask.shape, bool)
    touched[20 - reach : 40 + reach, 10 - reach : 44 + reach] = True
    differs = before != after
    assert differs[:, ~touched].sum() == 0
    assert differs[:, mask > 0].mean() > 0.5
