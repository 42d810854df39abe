"""Pictures of odd kinds are read with the colours and the side up that people see."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.media.pictures import pictures_at, read_picture

COLOURS = np.random.default_rng(1).integers(0, 256, (12, 20, 3), np.uint8)
IMAGE = Image.fromarray(COLOURS)


def test_a_turned_picture_is_set_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter, clockwise
    IMAGE.save(tmp_path / "x.png", exif=turned)
    assert np.array_equal(read_picture(tmp_path / "x.png").pixels, np.rot90(COLOURS, -1))


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path: Path) -> None:
    Image.fromarray(COLOURS[..., 0].astype(np.uint16) * 257).save(tmp_path / "x.png")
    assert np.array_equal(read_picture(tmp_path / "x.png").pixels, COLOURS[..., :1].repeat(3, axis=2))


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    paletted = IMAGE.convert("P", palette=Image.Palette.ADAPTIVE)
    paletted.save(tmp_path / "x.png")
    assert np.array_equal(read_picture(tmp_path / "x.png").pixels, np.asarray(paletted.convert("RGB")))


def test_cmyk_gives_the_colours_that_pillow_shows(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    found = read_picture(tmp_path / "x.jpg").pixels
    assert np.abs(found.astype(int) - (200, 40, 90)).max() <= 4  # what JPEG leaves of a plain colour


def test_transparent_parts_are_laid_on_white_and_it_is_said(tmp_path: Path) -> None:
    clear = IMAGE.convert("RGBA")
    opacity = np.full((12, 20), 255, np.uint8)
    opacity[:6] = 0
    clear.putalpha(Image.fromarray(opacity))
    clear.save(tmp_path / "x.png")
    picture = read_picture(tmp_path / "x.png")
    assert (picture.pixels[:6] == 255).all()
    assert np.array_equal(picture.pixels[6:], COLOURS[6:])
    assert picture.said == ("x.png has transparent parts: they are laid on white, and the result is opaque.",)
    IMAGE.convert("RGBA").save(tmp_path / "opaque.png")
    assert not read_picture(tmp_path / "opaque.png").said


@pytest.mark.parametrize("name", ["x.gif", "x.webp", "x.png", "x.tiff"])
def test_of_a_picture_that_moves_the_first_frame_is_edited(name: str, tmp_path: Path) -> None:
    first, *others = (Image.new("RGB", (16, 16), c) for c in ((255, 0, 0), (0, 0, 255), (0, 255, 0)))
    first.save(tmp_path / name, save_all=True, append_images=others)
    picture = read_picture(tmp_path / name)
    assert picture.said == (f"{name} has 3 frames or pages: the first of them is edited.",)
    assert (np.abs(picture.pixels.astype(int) - (255, 0, 0)) <= 4).all()


def test_a_folder_names_its_pictures_in_order(tmp_path: Path) -> None:
    for name in ("p10.png", "p2.png", "p1.jpg"):
        IMAGE.save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.name for path in pictures_at(tmp_path)] == ["p1.jpg", "p2.png", "p10.png"]
    assert pictures_at(tmp_path / "p2.png") == [tmp_path / "p2.png"]


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"the picture .*x\.png cannot be read"):
        read_picture(tmp_path / "x.png")
