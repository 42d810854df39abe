"""Masks as people draw and store them: one part of the picture, in many forms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, FRAMES = 32, 9
WHERE = np.zeros((SIDE, SIDE), np.uint8)
WHERE[12:26, 10:22] = 255
WHITE = np.full_like(WHERE, 255)
PICTURE = np.stack([40 + 0 * WHITE, *(40 + 6 * np.mgrid[:SIDE, :SIDE]).astype(np.uint8)], -1)
FILM = np.repeat(WHERE[..., None], 3, 2)


def layers(*planes: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.dstack(planes))


def palette(*colours: tuple[int, int, int], labels: NDArray[np.uint8] = WHERE // 255) -> Image.Image:
    image = Image.fromarray(labels).convert("P")
    image.putdata(labels.ravel().tolist())
    image.putpalette([value for colour in colours for value in colour])
    return image


def half_labels() -> NDArray[np.uint8]:
    """Two objects, of the labels 1 and 2."""
    labels = WHERE // 255
    labels[12:18] *= 2
    return labels


def in_colours() -> Image.Image:
    return Image.fromarray(np.array([(0, 0, 0), (128, 0, 0), (64, 128, 0)], np.uint8)[half_labels()])


def voided() -> Image.Image:
    """Labels as PASCAL VOC has them, with a rim that is left open around them."""
    labels = half_labels()
    labels[10:12, 10:22] = 255
    return Image.fromarray(labels)


def in_colours_with_void() -> Image.Image:
    colours = np.array([(0, 0, 0), (128, 0, 0), (64, 128, 0), (224, 224, 192)], np.uint8)
    return Image.fromarray(colours[np.minimum(np.asarray(voided()), 3)])


def film(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    codec: str,
    pix_fmt: str,
    *,
    rate: int = 8,
    options: Mapping[str, str] | None = None,
) -> Path:
    with av.open(path, "w") as output:
        stream: Any = output.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for picture in pictures:
            kind = "rgba" if picture.shape[2] == 4 else "rgb24"
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=kind)))
        output.mux(stream.encode(None))
    return path
