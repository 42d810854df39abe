"""Masks that do not say what is edited end in one sentence before any work, the same for every verb."""

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.media.stills import read_still
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square
from tests.unit.media.drawn_masks import FILM, FRAMES, PICTURE, SIDE, WHERE, WHITE, film, layers, palette


def cut_out() -> Image.Image:
    return layers(PICTURE, WHERE)


REFUSED: Mapping[str, tuple[Callable[[], Image.Image], str]] = {
    "black.png": (lambda: Image.fromarray(WHERE * 0), "0 everywhere"),
    "clear.png": (lambda: layers(*4 * [WHERE * 0]), "0 everywhere"),
    "black.jpg": (lambda: Image.fromarray(WHERE // 40), "0 everywhere"),
    "white.png": (lambda: Image.fromarray(WHITE), "nearly all, 100.0%"),
    "white.webp": (lambda: Image.fromarray(WHITE), "nearly all"),
    "cut_out.png": (cut_out, "(--mask-channel)"),
    "black_and_white_with_a_hole.png": (
        lambda: layers(WHERE, WHERE, WHERE, WHITE - WHERE.T),
        "(--mask-channel)",
    ),
    "photo.png": (lambda: Image.fromarray(PICTURE), "coloured picture"),
    "photo.jpg": (lambda: Image.fromarray(PICTURE), "coloured picture"),
    "red_on_white.png": (lambda: palette((255, 255, 255), (255, 0, 0)), "coloured picture"),
    "size.png": (lambda: Image.new("L", (16, 32)), "16x32 but the clip is 32x32"),
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(Video(moving_square(FRAMES, SIDE, SIDE), Fraction(8)), path, crf=0)
    return path


@pytest.fixture
def refused(clip: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Why every verb that takes a mask refuses it, in the same words, with exit code 2 and nothing written."""

    def run(mask: Path, *options: str) -> str:
        out = clip.with_name("out.mp4")
        runs = [
            *([("edit", str(clip), "make it sepia", "--window-frames", frames)] for frames in ("0", "5")),
            [("task", "inpaint", "a circle", "--clip", str(clip), "--frames", "9", "--size", "32x32")],
        ]
        said = set[str]()
        for ((verb, *words),) in runs:
            arguments = [verb, *words, "--mask", str(mask), "--output", str(out), "--json", *options]
            assert main([*arguments, "--models", str(models_folder)]) == BAD_INPUT
            said.add(json.loads(capsys.readouterr().out)["error"])
            assert not list(clip.parent.glob("out*"))
        assert len(said) == 1, said
        return said.pop()

    return run


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_say_what_to_edit_is_refused_alike(
    tmp_path: Path, refused: Callable[..., str], name: str
) -> None:
    make, said = REFUSED[name]
    make().save(tmp_path / name)
    sentence = refused(tmp_path / name)
    assert said in sentence
    assert "\n" not in sentence


def test_a_turned_picture_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(WHERE).save(tmp_path / "turned.jpg", exif=exif)
    assert "EXIF" in refused(tmp_path / "turned.jpg")


def test_a_huge_picture_is_refused_by_its_header(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("it was decoded"))
    assert "9000x9000 but the clip is 32x32" in refused(tmp_path / "huge.png")


@pytest.mark.parametrize("name", ["m.webp", "m.png"])
def test_an_animation_is_no_still(tmp_path: Path, refused: Callable[..., str], name: str) -> None:
    pictures = [Image.fromarray(np.roll(FILM, index, 1)) for index in range(3)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    assert "is an animation of 3 pictures" in refused(tmp_path / name)
    with pytest.raises(BadInput, match="is an animation of 3 pictures"):
        read_still(tmp_path / name)


@pytest.mark.parametrize("cut", [30, 60])
def test_a_damaged_picture_is_one_sentence(tmp_path: Path, refused: Callable[..., str], cut: int) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(PICTURE).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    assert "cannot be read" in refused(path)


@pytest.mark.parametrize("frames", [5, 12])
def test_another_length_is_refused_and_the_rate_is_named(
    tmp_path: Path, refused: Callable[..., str], frames: int
) -> None:
    mask = film(tmp_path / "mask.mp4", [FILM] * frames, "libx264", "yuv420p", rate=10)
    sentence = refused(mask)
    assert (
        f"the mask has {frames} frames but the clip has 9, and has 10 frames a second and the clip 8"
        in sentence
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mask-channel", "hue"], "no mask channel 'hue': use one of auto, luma"),
        (["--mask-threshold", "2"], "the mask threshold is 2"),
        (["--mask-threshold", "nan"], "'nan' is no number"),
        (["--mask-channel", "luma", "--no-mask"], "none was given"),
        (["--mask-channel", "alpha"], "has no transparency"),
    ],
)
def test_wrong_options(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    Image.fromarray(WHERE).save(tmp_path / "mask.png")
    mask = [] if "--no-mask" in options else ["--mask", str(tmp_path / "mask.png")]
    options = [one for one in options if one != "--no-mask"]
    assert main(["edit", str(clip), "x", *mask, *options, "--output", str(tmp_path / "o.mp4")]) == BAD_INPUT
    assert said in capsys.readouterr().err
