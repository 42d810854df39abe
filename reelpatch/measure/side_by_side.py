"""Before and after in one picture: side by side, under a wipe that moves, or frame by frame on a sheet."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reelpatch.media.clip_pair import Pair
from reelpatch.media.video_io import Frames, Video

_GAP_PX = 4  # even, so that the width of both together is
_LINE_PX = 2
_SWEEP_S = 4.0  # from before to after and back
_WHITE, _INK, _PAPER = 255, (30, 30, 30), (250, 250, 248)
_THUMB_PX, _CAPTION_PX, _MARGIN_PX, _TEXT_PX = 240, 22, 12, 14
_NAMED_PX = 80  # for the names of the rows
MOST_DIFFERENCE = 4  # times: what the difference is brightened by


def side_by_side(pair: Pair) -> Video:
    """Both clips at once, before on the left; [F, H, 2 W + 4, 3]."""
    gap = np.full((*pair.after.shape[:2], _GAP_PX, 3), _WHITE, np.uint8)
    return replace(pair.before, frames=np.concatenate([pair.before.frames, gap, pair.after], axis=2))


def wipe(pair: Pair) -> Video:
    """Before on the left of an upright line and after on its right; the line goes to and fro, once in 4 seconds.

    A shorter clip has one sweep. It begins and ends with all of before.
    """
    video = pair.before
    times = video.times_s or [index / video.fps for index in range(len(video.frames))]
    sweep_s = min(_SWEEP_S, float(times[-1])) or _SWEEP_S
    shares = [(1 + math.cos(2 * math.pi * float(time) / sweep_s)) / 2 for time in times]
    frames = [
        _split(before, after, share)
        for before, after, share in zip(video.frames, pair.after, shares, strict=True)
    ]
    return replace(video, frames=np.stack(frames))


def contact_sheet(pair: Pair, columns: int = 6) -> Image.Image:
    """Evenly picked frames in columns; before, after and their difference, brightened 4 times, in rows."""
    num_frames = len(pair.after)
    picked = sorted({round(index) for index in np.linspace(0, num_frames - 1, columns)})
    before, after = pair.before.frames[picked], pair.after[picked]
    apart = np.abs(before.astype(np.int16) - after) * MOST_DIFFERENCE
    rows = {
        "before": before,
        "after": after,
        f"change x{MOST_DIFFERENCE}": apart.clip(0, 255).astype(np.uint8),
    }
    size = _thumb_size(after.shape[1], after.shape[2], float(pair.before.pixel_aspect))
    width, height = size[0] + _MARGIN_PX, size[1] + _MARGIN_PX
    page = Image.new(
        "RGB",
        (_NAMED_PX + _MARGIN_PX + len(picked) * width, _CAPTION_PX + _MARGIN_PX + len(rows) * height),
        _PAPER,
    )
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT_PX)
    for column, frame in enumerate(picked):
        left = _NAMED_PX + _MARGIN_PX + column * width
        draw.text((left, 6), f"frame {frame}", _INK, font)
    for row, (name, images) in enumerate(rows.items()):
        top = _CAPTION_PX + _MARGIN_PX + row * height
        draw.text((_MARGIN_PX, top), name, _INK, font)
        _paste_row(page, images, top, size)
    return page


def _paste_row(page: Image.Image, images: Sequence[Frames] | Frames, top: int, size: tuple[int, int]) -> None:
    for column, image in enumerate(images):
        is_larger = size[0] > image.shape[1]
        thumb = Image.fromarray(image).resize(
            size, Image.Resampling.NEAREST if is_larger else Image.Resampling.LANCZOS
        )
        page.paste(thumb, (_NAMED_PX + _MARGIN_PX + column * (size[0] + _MARGIN_PX), top))


def _thumb_size(height: int, width: int, pixel_aspect: float) -> tuple[int, int]:
    """(width, height) of the pictures as they are shown; small clips are enlarged by whole numbers."""
    shown = width * pixel_aspect
    scale = _THUMB_PX / max(shown, height)
    scale = float(math.floor(scale)) if scale >= 1 else scale
    return max(1, round(shown * scale)), max(1, round(height * scale))


def _split(before: Frames, after: Frames, share: float) -> Frames:
    width = before.shape[1]
    at = round(share * width)
    frame = np.concatenate([before[:, :at], after[:, at:]], axis=1)
    if 0 < at < width:
        frame[:, max(0, at - _LINE_PX // 2) : at + _LINE_PX // 2] = _WHITE
    return frame
