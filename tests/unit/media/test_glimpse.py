"""Single frames of films: those that reading the film from end to end gives, wherever one begins."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.media.glimpse import film_strip, index_film, strip_size
from reelpatch.media.video_io import read_video

FPS = Fraction(24000, 1001)
NUM_FRAMES, HEIGHT, WIDTH = 45, 64, 96


def film(path: Path, options: dict[str, str] | None = None) -> Path:
    """A film whose frames tell their numbers by their brightness."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(NUM_FRAMES):
            picture = np.full((HEIGHT, WIDTH, 3), 20 + 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def levels(strip: bytes, count: int, most_px: int) -> list[float]:
    (height, width), step = strip_size((HEIGHT, WIDTH), most_px)
    picture = np.asarray(Image.open(BytesIO(strip)).convert("L"), np.float64)
    assert picture.shape == (count * step, width)
    return [picture[place * step : place * step + height].mean() for place in range(count)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one key.mp4", {"g": "250", "bf": "3"}),
        ("many keys.mkv", {"g": "12", "bf": "2"}),
        ("no b.mov", {"g": "30", "bf": "0"}),
    ],
)
def test_its_frames_are_those_of_reading_it_all(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = film(tmp_path / name, options)
    index = index_film(path)
    assert (index.size, index.num_frames) == ((HEIGHT, WIDTH), NUM_FRAMES)
    assert abs(index.fps - FPS) < Fraction(1, 100)  # Matroska counts in milliseconds
    whole = read_video(path, folder_fps=Fraction(1)).frames.mean((1, 2, 3))
    for first, count in ((0, 16), (16, 16), (32, 13)):
        found = levels(film_strip(path, index, first, count, 48), count, 48)
        # A frame differs from the next by 5 levels; JPEG and gray of equal colours by less than 1.
        assert found == pytest.approx(whole[first : first + count].tolist(), abs=1)


def test_a_strip_is_small_and_its_frames_lie_on_whole_blocks() -> None:
    assert strip_size((1080, 1920), 512) == ((288, 512), 288)
    assert strip_size((1920, 1080), 512) == ((512, 288), 512)
    assert strip_size((30, 50), 512) == ((30, 50), 32)


def test_what_is_no_film_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(BadInput, match="cannot be read as video"):
        index_film(tmp_path / "text.mp4")


def test_what_is_damaged_is_black_or_near_and_never_an_error(tmp_path: Path) -> None:
    path = film(tmp_path / "hurt.mkv", {"g": "12", "bf": "0"})
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content), 97):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with suppress(BadInput):  # of a container that cannot be read at all
        index = index_film(path)
        strip = film_strip(path, index, 0, min(16, index.num_frames), 48)
        assert len(levels(strip, min(16, index.num_frames), 48)) == min(16, index.num_frames)


def test_a_film_without_a_frame_that_decodes_is_one_sentence(tmp_path: Path) -> None:
    path = film(tmp_path / "hurt.mp4")
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    content[start : content.index(b"moov", start) - 4] = bytes(content.index(b"moov", start) - 4 - start)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"no frame of .* can be decoded"):
        index_film(path)
