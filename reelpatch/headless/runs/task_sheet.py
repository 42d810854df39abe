"""A picture of what a task hands to the model: frames, their masks, the references."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from reelpatch.clips.references import letterbox
from reelpatch.edits.vace.tasks import BuiltTask
from reelpatch.media.saving import saved_at

MOST_SHOWN = 8
ROW_PX = 160  # the longer side of one picture
_GAP_PX, _CAPTION_PX = 6, 20
_INK, _PAPER = (30, 30, 30), (250, 250, 248)


def write_preview(built: BuiltTask, path: Path) -> None:
    """Writes a PNG with a row of frames, one of their masks (white is made up) and one of the references.

    References are shown as the model gets them, letterboxed on white.

    Raises: `BadInput` as `saved_at`.
    """
    with saved_at(path, "preview") as part:
        preview(built).save(part, format="PNG")


def preview(built: BuiltTask) -> Image.Image:
    """The picture, of at most eight frames spread over the clip."""
    clip, mask = built.input.clip, built.input.mask
    last = len(clip) - 1
    shown = sorted({round(index * last / (MOST_SHOWN - 1)) for index in range(MOST_SHOWN)})
    height, width = clip.shape[1:3]
    rows: list[tuple[str, list[Tensor]]] = [
        (
            f"source video, frames {', '.join(map(str, shown))} of {len(clip)}",
            [clip[index] for index in shown],
        ),
        (
            "mask: white is made up, black is kept",
            [mask[index][..., None].expand(-1, -1, 3) for index in shown],
        ),
    ]
    if built.input.references:
        stills = [letterbox(image, height, width) for image in built.input.references]
        rows.append(("references, in order", stills))
    return _page([(caption, [_small(picture) for picture in pictures]) for caption, pictures in rows])


def _small(picture: Tensor) -> NDArray[np.uint8]:
    image = Image.fromarray(picture.mul(255).round().to(torch.uint8).numpy())
    scale = ROW_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST))


def _page(rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]]) -> Image.Image:
    height, width = rows[0][1][0].shape[:2]
    row_px = _CAPTION_PX + height + _GAP_PX
    columns = max(3, *(len(pictures) for _, pictures in rows))
    page = Image.new("RGB", (_GAP_PX + columns * (width + _GAP_PX), _GAP_PX + len(rows) * row_px), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for number, (caption, pictures) in enumerate(rows):
        top = _GAP_PX + number * row_px
        draw.text((_GAP_PX, top), caption, _INK, font)
        for column, picture in enumerate(pictures):
            place = (_GAP_PX + column * (width + _GAP_PX), top + _CAPTION_PX)
            page.paste(Image.fromarray(picture), place)
    return page
