"""Still images on disk: references, masks and the frames of a folder."""

import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from reelpatch.errors import BadInput
from reelpatch.media.opening import check_is_file

# Pillow's names; left out is what runs other programs (EPS), names other files, or has no mark to be known by.
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF", "JPEG2000", "PPM")
_METRES_AN_INCH = Fraction(254, 10_000)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@cache
def still_formats() -> tuple[str, ...]:
    """The kinds of images that are read, by Pillow's names."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def is_still(path: Path) -> bool:
    """Whether the name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def images_in(folder: Path) -> list[Path]:
    """The images of a folder; frame_2 stands before frame_10. Hidden files, such as macOS's ._0001.png, are none of them."""
    found = (path for path in folder.iterdir() if is_still(path) and not path.name.startswith("."))
    return sorted(found, key=_by_number)


def read_still(path: Path) -> NDArray[np.uint8]:
    """An image, upright, as [H, W, 3], or [H, W, 4] where parts of it are transparent.

    Raises: `BadInput` when it is missing, damaged or no image.
    """
    try:
        check_is_file(path)
        with Image.open(path, formats=still_formats()) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would cut instead of scaling
                image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
            if image.has_transparency_data:
                pixels = np.array(image.convert("RGBA"))
                if pixels[..., 3].min() < 255:
                    return pixels
            return np.array(image.convert("RGB"))
    except OSError as error:
        reason = error.strerror or str(error).split(" '")[0]
        raise BadInput(f"the image {path} cannot be read ({reason}): give one that opens.") from error


def png_pixel_aspect(path: Path) -> Fraction:
    """How wide the pixels of a PNG are for their height, as its dots a metre say; 1 for other images."""
    if path.suffix.lower() != ".png":
        return Fraction(1)
    try:
        with Image.open(path, formats=("PNG",)) as file:
            across, down = (round(Fraction(dots) / _METRES_AN_INCH) for dots in file.info.get("dpi", (1, 1)))
    except OSError:
        return Fraction(1)  # of another kind than its name says, or damaged: reading it will explain
    return Fraction(down, across) if across and down else Fraction(1)


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())
    ]
