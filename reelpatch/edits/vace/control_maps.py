"""Control maps that need no model: edges, gray, scribbled lines and boxes, drawn from a clip.

Depth and pose maps come from models; ComfyUI has nodes for them, and any map is a clip that `control` follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelpatch.clips.frames import Box, Size
from reelpatch.clips.masks import check_mask, luma
from reelpatch.edits.vace.context import EDITED_ABOVE
from reelpatch.edits.vace.task_layouts import check_box, outline
from reelpatch.edits.vace.tasks import TaskMaterial
from reelpatch.errors import BadInput

BOX = "box"
_WEAK, _STRONG = (
    100,
    200,
)  # gradients of the 8-bit channel that changes most: what goes on a line, and what starts one
_SMOOTH_PX = 2.0  # what is finer is no scribble
_STROKE_PX = 3


def gray(clip: Tensor) -> Tensor:
    """The clip without its colours, [F, H, W, 3]."""
    return luma(clip)[..., None].expand(-1, -1, -1, 3)


def edge(clip: Tensor) -> Tensor:
    """White Canny edges on black, [F, H, W, 3]."""
    return _drawn(clip, lambda frame: _canny(frame, smooth_px=0.0))


def scribble(clip: Tensor) -> Tensor:
    """Thick black lines on white along the larger edges, as if drawn by hand, [F, H, W, 3]."""
    import cv2

    stroke = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    return _drawn(clip, lambda frame: 255 - cv2.dilate(_canny(frame, smooth_px=_SMOOTH_PX), stroke))


def layout(frames: int, size: Size, boxes: tuple[Box, ...], mask: Tensor | None) -> Tensor:
    """Black outlines on white: each box in every frame, and the box around the mask of its frame.

    Shapes: mask [F, H, W] or [1, H, W]; result [F, *size, 3].
    Raises: BadInput for a box outside the picture.
    """
    for box in boxes:
        check_box(box, size)
    page = torch.ones(*size, 3)
    for box in boxes:
        page = torch.minimum(page, outline(box, size))
    if mask is None:
        return page.expand(frames, -1, -1, -1)
    around = [_around(frame) for frame in mask]
    drawn = [page if box is None else torch.minimum(page, outline(box, size)) for box in around]
    return torch.stack(drawn).expand(frames, -1, -1, -1)


MAPS: Mapping[str, Callable[[Tensor], Tensor]] = {"edge": edge, "gray": gray, "scribble": scribble}


def with_map(task: str, kind: str, material: TaskMaterial) -> TaskMaterial:
    """The material of the task `control` with a map in place of its clip; under a mask, inside it alone.

    Raises: BadInput for an unknown map, another task, and a map of boxes without any.
    """
    if kind not in (*MAPS, BOX):
        raise BadInput(f"there is no control map '{kind}': use {', '.join(MAPS)} or {BOX}.", setting="map")
    if task != "control":
        raise BadInput(
            f"the task '{task}' follows no control map: leave it out, or use the task control.",
            setting="map",
        )
    if material.clip is None:
        return material  # the task says that it needs one
    clip, mask = material.clip, material.mask
    frames, height, width, _ = clip.shape
    if mask is not None:
        check_mask(mask, 1 if len(mask) == 1 else frames, height, width)
    if kind == BOX:
        if mask is None and not material.boxes:
            raise BadInput(
                "a map of boxes needs some: give boxes, or a mask for the box around it to follow.",
                setting=("box", "mask"),
            )
        return replace(
            material, clip=layout(frames, (height, width), material.boxes, mask), mask=None, boxes=()
        )
    drawn = MAPS[kind](clip)
    if mask is not None:
        drawn = torch.where((mask > EDITED_ABOVE)[..., None], drawn, clip)
    return replace(material, clip=drawn)


def _drawn(clip: Tensor, draw: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Tensor:
    """Each frame drawn from its 8-bit colours, so that edges between colours of one brightness are seen."""
    frames = clip.mul(255).round().to(torch.uint8).cpu().numpy()
    lines = torch.from_numpy(np.stack([draw(frame) for frame in frames])).float() / 255
    return lines[..., None].expand(-1, -1, -1, 3)


def _canny(frame: NDArray[np.uint8], *, smooth_px: float) -> NDArray[np.uint8]:
    import cv2  # heavy, and needed here alone

    smoothed = cv2.GaussianBlur(frame, (0, 0), smooth_px) if smooth_px else frame
    # Smoothing flattens every step; what is left of it decides.
    share = 0.25 if smooth_px else 1.0
    return np.asarray(cv2.Canny(smoothed, share * _WEAK, share * _STRONG), np.uint8)


def _around(mask: Tensor) -> Box | None:
    """The smallest box around what is above one half, [H, W]; None where nothing is."""
    rows, columns = (
        line.nonzero().flatten().tolist()
        for line in ((mask > EDITED_ABOVE).any(1), (mask > EDITED_ABOVE).any(0))
    )
    return Box(rows[0], columns[0], rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]) if rows else None
