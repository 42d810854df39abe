"""A contact sheet of edited pictures: a row for each picture, as it was and then each result."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

THUMB_PX = 240
_GAP_PX, _CAPTION_PX, _TEXT_PX, _NAME_CHARACTERS = 12, 22, 14, 160
_INK, _PAPER = (30, 30, 30), (250, 250, 248)


@dataclass(frozen=True, eq=False)
class SheetRow:
    """One picture by its name, and thumbnails of it and its results with a caption for each."""

    name: str
    pictures: list[Image.Image]
    captions: list[str]


def thumbnail(pixels: NDArray[np.uint8]) -> Image.Image:
    """A picture [H, W, 3] within a square of `THUMB_PX`; small ones are enlarged without smoothing."""
    image = Image.fromarray(pixels)
    scale = THUMB_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)


def contact_sheet(rows: Sequence[SheetRow]) -> Image.Image:
    """All rows under each other."""
    columns = max(len(row.pictures) for row in rows)
    heights = [2 * _CAPTION_PX + max(one.height for one in row.pictures) + _GAP_PX for row in rows]
    page = Image.new("RGB", (_GAP_PX + columns * (THUMB_PX + _GAP_PX), _GAP_PX + sum(heights)), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT_PX)
    top = _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        draw.text((_GAP_PX, top), row.name[:_NAME_CHARACTERS], _INK, font)
        for column, (picture, caption) in enumerate(zip(row.pictures, row.captions, strict=True)):
            left = _GAP_PX + column * (THUMB_PX + _GAP_PX)
            draw.text((left, top + _CAPTION_PX), caption, _INK, font)
            page.paste(picture, (left, top + 2 * _CAPTION_PX))
        top += height
    return page
