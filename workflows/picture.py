"""How the templates' pictures are put together: rows of frames, and two lines beneath that say what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ZOOM, GAP, CAPTION = 2, 4, 40
INK, PAPER, BADGE = (235, 235, 235), (30, 30, 34), (20, 110, 220)
MADE_BY = "made by Reelpatch's demo weights, 64x64 on a CPU"


def strip(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames [n, H, W, 3] in a row, enlarged."""
    enlarged = frames.repeat(ZOOM, axis=1).repeat(ZOOM, axis=2)
    return np.concatenate(list(np.pad(enlarged, ((0, 0), (0, GAP), (0, GAP), (0, 0)))), axis=1)


def captioned(rows: Sequence[NDArray[np.uint8]], title: str, made_by: str = MADE_BY) -> Image.Image:
    """Rows one below the other, over two lines of words."""
    image = Image.fromarray(np.pad(np.concatenate(rows), ((GAP, CAPTION), (GAP, 0), (0, 0))))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    top = image.height - CAPTION
    draw.rectangle((0, top, image.width, image.height), fill=PAPER)
    draw.text((GAP + 2, top + 2), title, fill=INK, font=font)
    draw.text((GAP + 2, top + 20), made_by, fill=INK, font=font)
    return image


def as_app(picture: Image.Image) -> Image.Image:
    """The picture of a template, marked as that of its app."""
    marked = picture.convert("RGB")
    draw, font = ImageDraw.Draw(marked), ImageFont.load_default(22)
    draw.rounded_rectangle((marked.width - 74, 10, marked.width - 10, 44), 8, fill=BADGE)
    draw.text((marked.width - 64, 14), "App", fill=INK, font=font)
    return marked
