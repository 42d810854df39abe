"""The demo's pictures: a contact sheet and a film of source, result and truth side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

ZOOM = 2
GAP_PX, CAPTION_PX, MARGIN_PX = 6, 22, 12
INK, PAPER = (30, 30, 30), (250, 250, 248)
COLUMNS = ("source", "result", "truth")


@dataclass(frozen=True)
class Shown:
    """One edit to show; `clips` are source, result and truth, `[F, H, W, 3]` uint8."""

    caption: str
    clips: tuple[Picture, Picture, Picture]


def contact_sheet(shown: list[Shown], *, frames: tuple[int, ...]) -> Image.Image:
    """A row for each edit: its caption, then the chosen frames of source, result and truth."""
    strips = [_row(item, frames) for item in shown]
    return _stacked(shown, strips)


def film(shown: list[Shown]) -> Picture:
    """All edits playing at once, in two columns, `[F, H, W, 3]` uint8 of even height and width."""
    frames = [_frame(shown, index) for index in range(len(shown[0].clips[0]))]
    height, width = frames[0].shape[0] // 2 * 2, frames[0].shape[1] // 2 * 2
    return np.stack(frames)[:, :height, :width]


def _frame(shown: list[Shown], index: int) -> Picture:
    half = (len(shown) + 1) // 2
    columns = [
        np.asarray(_stacked(part, [_row(item, (index,)) for item in part]))
        for part in (shown[:half], shown[half:])
    ]
    height = max(column.shape[0] for column in columns)
    padded = [
        np.pad(c, ((0, height - c.shape[0]), (0, 0), (0, 0)), constant_values=PAPER[0])
        for c in columns
        if c.size
    ]
    return np.concatenate(padded, axis=1)


def _row(item: Shown, frames: tuple[int, ...]) -> Picture:
    blocks: list[Picture] = []
    for clip in item.clips:
        enlarged = clip[list(frames)].repeat(ZOOM, axis=1).repeat(ZOOM, axis=2)
        apart = np.pad(enlarged, ((0, 0), (0, 0), (0, GAP_PX // 3), (0, 0)), constant_values=PAPER[0])
        blocks.append(np.concatenate(list(apart), axis=1)[:, : -(GAP_PX // 3)])
    gap = np.full((blocks[0].shape[0], GAP_PX * 2, 3), PAPER, np.uint8)
    return np.concatenate([blocks[0], gap, blocks[1], gap, blocks[2]], axis=1)


def _stacked(shown: list[Shown], strips: list[Picture]) -> Image.Image:
    if not strips:
        return Image.fromarray(np.zeros((0, 0, 3), np.uint8))
    height, width = strips[0].shape[:2]
    row_px = height + CAPTION_PX + GAP_PX
    page = Image.new("RGB", (width + 2 * MARGIN_PX, CAPTION_PX + len(strips) * row_px + MARGIN_PX), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    block_px = (width - 4 * GAP_PX) // 3
    for column, name in enumerate(COLUMNS):
        draw.text((MARGIN_PX + column * (block_px + 2 * GAP_PX), 4), name, INK, font)
    for number, (item, strip) in enumerate(zip(shown, strips, strict=True)):
        top = CAPTION_PX + number * row_px
        draw.text((MARGIN_PX, top + 3), item.caption, INK, font)
        page.paste(Image.fromarray(strip), (MARGIN_PX, top + CAPTION_PX))
    return page
