"""Still images on disk: references, masks and the frames of a folder."""

import re
import traceback
import warnings
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
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
# More would take gigabytes as numbers; a frame of 8K has 33 million. Pillow itself warns and gives up later.
MAX_PIXELS = 100_000_000
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError)
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


def read_still(path: Path, *, setting: str = "") -> NDArray[np.uint8]:
    """An image, upright, as [H, W, 3], or [H, W, 4] where parts of it are transparent.

    Raises: `BadInput` when it is missing, damaged or no image, and for an animation.
    """
    with open_still(path, setting=setting) as file:
        check_one_picture(file, path, "image", setting=setting)
        return upright_pixels(file)


def upright_pixels(file: Image.Image) -> NDArray[np.uint8]:
    """An opened image, or the first frame of one that moves, as `read_still` gives it."""
    image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would cut instead of scaling
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        pixels = np.array(image.convert("RGBA"))
        if pixels[..., 3].min() < 255:
            return pixels
    return np.array(image.convert("RGB"))


@contextmanager
def open_still(path: Path, what: str = "image", *, setting: str = "") -> Generator[Image.Image]:
    """An image, its pixels not decoded yet; whatever Pillow finds wrong with it becomes a `BadInput` about `what`.

    Raises: `BadInput` when it is missing, damaged, no image, or has more than `MAX_PIXELS`.
    """
    try:
        check_is_file(path)
        with _opened(path, still_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(path, what, f"has {image.width}x{image.height} pixels", setting)
            yield image
    except BadInput:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, what, "is far too large", setting) from error
    except Exception as error:
        if not isinstance(error, _UNREADABLE) and not _is_pillows(error):
            raise
        reason = getattr(error, "strerror", None) or str(error).split(" '")[0].split("\n")[0].rstrip(".")
        raise BadInput(
            f"the {what} {path} cannot be read ({reason}): give one that opens.", setting=setting
        ) from error


def check_one_picture(image: Image.Image, path: Path, what: str, *, setting: str = "") -> None:
    """Raises: `BadInput` for an animation, of which no picture is meant alone; what a camera keeps beside a photo is none."""
    number = getattr(image, "n_frames", 1)
    if number > 1 and image.format != "MPO":
        raise BadInput(
            f"the {what} {path} is an animation of {number} pictures: save the one that is meant, or all of them as a GIF, a "
            "film or a folder of images.",
            setting=setting,
        )


def _opened(path: Path, formats: tuple[str, ...]) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=formats)


def _is_pillows(error: Exception) -> bool:
    """Whether it was raised in Pillow, which passes on what damaged TIFFs and GIFs make of its own numbers (`TypeError`, `IndexError`)."""
    innermost = deque(traceback.walk_tb(error.__traceback__), maxlen=1)
    return any(str(frame.f_globals.get("__name__")).startswith("PIL.") for frame, _ in innermost)


def _too_large(path: Path, what: str, found: str, setting: str) -> BadInput:
    return BadInput(
        f"the {what} {path} {found}, and no more than {MAX_PIXELS // 10**6} million pixels are read: make it smaller.",
        setting=setting,
    )


def png_pixel_aspect(path: Path) -> Fraction:
    """How wide the pixels of a PNG are for their height, as its dots a metre say; 1 for other images."""
    if path.suffix.lower() != ".png":
        return Fraction(1)
    try:
        with _opened(path, ("PNG",)) as file:
            across, down = (round(Fraction(dots) / _METRES_AN_INCH) for dots in file.info.get("dpi", (1, 1)))
    except _UNREADABLE:
        return Fraction(1)  # of another kind than its name says, or damaged: reading it will explain
    return Fraction(down, across) if across and down else Fraction(1)


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())
    ]
