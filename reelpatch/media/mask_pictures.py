"""The pictures of a mask file as it has them: every channel, in the depth it is stored in."""

from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from av.codec import Codec
from PIL import Image

from reelpatch.clips.mask_picture import MaskPicture
from reelpatch.errors import BadInput
from reelpatch.media.decoding import decoded_frames, main_stream
from reelpatch.media.frame_colour import ColourReader
from reelpatch.media.opening import opened
from reelpatch.media.stills import check_one_picture, images_in, is_still, open_still

_MORE_STILLS = (".tif", ".tiff", ".gif", ".tga", ".pgm", ".ppm", ".pbm", ".jp2", ".jfif")
_LOSSLESS_STILLS = frozenset({"PNG", "BMP", "TIFF", "GIF", "TGA", "PPM"})
_ORIENTATION = 0x0112


def is_one_picture(path: Path) -> bool:
    """Whether a file is a still; a GIF or a TIFF of several pictures is a clip."""
    if path.is_dir() or not path.exists():
        return False
    if is_still(path):
        return True
    if path.suffix.lower() not in _MORE_STILLS:
        return False
    with _image(path) as image:
        return getattr(image, "n_frames", 1) == 1


def mask_pictures(path: Path, size: tuple[int, int]) -> Generator[MaskPicture]:
    """The pictures of a still, a clip or a folder of images, one after the other, at least one.

    Units: `size` = (height, width) is the clip's, which every picture has to have; stills are checked before they are
    decoded.
    Raises: BadInput for what is unreadable or of another size, and for a still that is animated or to be shown turned.
    """
    if path.is_dir():
        for image in images_in(path):
            yield _still(image, size)
    elif is_one_picture(path):
        yield _still(path, size)
    else:
        yield from _film(path, size)


def is_lossy(path: Path) -> bool:
    """Whether a mask went through a codec that changes values."""
    if path.is_dir():
        return any(is_lossy(image) for image in images_in(path))
    if is_one_picture(path):
        with _image(path) as image:
            if image.format == "WEBP":
                return b"VP8L" not in path.read_bytes()[:4096]
            return image.format not in _LOSSLESS_STILLS or image.info.get("compression") == "jpeg"
    with opened(path) as container:
        return Codec(main_stream(container, path).codec_context.name, "r").lossy


def check_size(found: tuple[int, int], size: tuple[int, int], path: Path) -> None:
    """Raises: BadInput for a mask of another size than its clip's; sizes are (height, width)."""
    if found != size:
        raise BadInput(
            f"the mask is {found[1]}x{found[0]} but the clip is {size[1]}x{size[0]} (width x height): give a mask of the "
            f"clip's size in place of {path}.",
            setting="mask",
        )


def _image(path: Path) -> AbstractContextManager[Image.Image]:
    return open_still(path, "mask", setting="mask")


def _still(path: Path, size: tuple[int, int]) -> MaskPicture:
    with _image(path) as image:
        found = image.height, image.width
        if found != size[::-1]:  # before anything is decoded, which looking for marks does too
            check_size(found, size, path)
        check_one_picture(image, path, "mask", setting="mask")
        if image.getexif().get(_ORIENTATION, 1) != 1:
            raise BadInput(
                f"the mask {path} carries a mark that it is to be shown turned (EXIF orientation), which some programs "
                "follow and some do not: save it as it is meant, without the mark.",
                setting="mask",
            )
        check_size(found, size, path)
        return _picture(path, image)


def _picture(path: Path, image: Image.Image) -> MaskPicture:
    if image.has_transparency_data:
        pixels = np.array(image.convert("RGBA"))
        return MaskPicture(pixels[..., :3], pixels[..., 3])
    if image.mode.startswith(("I", "F")):
        return MaskPicture(_sixteen_bits(path, np.asarray(image)))
    return MaskPicture(np.array(image.convert("L" if image.mode in ("1", "L") else "RGB")))


def _sixteen_bits(path: Path, values: Any) -> Any:
    """Whole numbers as they are; fractions from 0 to 1 over the whole of 16 bits."""
    if values.dtype.kind == "f" and values.max() <= 1:
        values = values * 65535
    if not bool(((values >= 0) & (values <= 65535)).all()):  # NaN is neither
        raise BadInput(
            f"the mask {path} has values that are no 16-bit numbers: save it with 8 or 16 bits.",
            setting="mask",
        )
    return np.round(values).astype(np.uint16)


def _film(path: Path, size: tuple[int, int]) -> Generator[MaskPicture]:
    reader = ColourReader(path, is_quiet=True)
    with opened(path) as container:
        stream = main_stream(container, path)
        for frame in reader.shown(container, stream, decoded_frames(container, stream, path)):
            pixels = reader.upright(frame, keeps_alpha=True)
            check_size((pixels.shape[0], pixels.shape[1]), size, path)
            yield MaskPicture(pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None)
