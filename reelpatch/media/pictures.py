"""Pictures that are edited by themselves: which ones a path names, and each of them upright and opaque."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelpatch.errors import BadInput
from reelpatch.media.stills import images_in, open_still, upright_pixels

_SEVERAL_IN_ONE = ("MPO",)  # formats whose further pictures are other views of the first


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is edited. `pixels` are [H, W, 3]; `said` are sentences on what was left out of its file."""

    path: Path
    pixels: NDArray[np.uint8]
    said: tuple[str, ...]


def pictures_at(path: Path) -> list[Path]:
    """The picture at `path`, or those of a folder in the order of the numbers in their names.

    Raises: `BadInput` for what is not there, and for a folder without pictures.
    """
    if not path.is_dir():
        return [path]
    found = images_in(path)
    if not found:
        raise BadInput(
            f"the folder {path} holds no pictures: give one with png, jpg, webp or bmp files in it."
        )
    return found


def read_picture(path: Path) -> Picture:
    """A picture upright, in RGB of 8 bits; the first frame of one that moves, and white where it is transparent.

    Raises: `BadInput` when it is missing, damaged, too large or no picture.
    """
    said: list[str] = []
    with open_still(path, "picture") as file:
        num_frames = getattr(file, "n_frames", 1)
        if num_frames > 1 and file.format not in _SEVERAL_IN_ONE:
            said.append(f"{path.name} has {num_frames} frames or pages: the first of them is edited.")
        pixels = upright_pixels(file)
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
        said.append(f"{path.name} has transparent parts: they are laid on white, and the result is opaque.")
    return Picture(path, pixels, tuple(said))
