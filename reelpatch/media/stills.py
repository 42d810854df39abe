"""Still images on disk: references, masks and the frames of a folder."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from reelpatch.errors import BadInput

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def is_still(path: Path) -> bool:
    """Whether the name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def images_in(folder: Path) -> list[Path]:
    """The images of a folder; frame_2 stands before frame_10."""
    return sorted((path for path in folder.iterdir() if is_still(path)), key=_by_number)


def read_still(path: Path) -> NDArray[np.uint8]:
    """An image, upright, as [H, W, 3], or [H, W, 4] where parts of it are transparent.

    Raises: `BadInput` when it is missing, damaged or no image.
    """
    try:
        with Image.open(path) as file:
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


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())
    ]
