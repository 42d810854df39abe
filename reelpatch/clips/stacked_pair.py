"""Two clips in one film, so that a player which cuts it apart shows the same frame of both."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_GRID_PX = 16  # of codecs; neither clip bleeds into the other across it
_MOST_PX = 1280  # of the longer side of one; a film of two of these is still played everywhere


@dataclass(frozen=True, eq=False)
class Stack:
    """Both clips in one picture: `before` at its origin, `after` at `after_at` = (left, top), both of `size`.

    Shapes: frames [F, H, W, 3] in [0, 1]; `size` is (height, width) in pixels.
    """

    frames: Tensor
    size: tuple[int, int]
    after_at: tuple[int, int]


def stack(before: Tensor, after: Tensor) -> Stack:
    """Wide clips above each other, high ones beside each other; large ones are made smaller.

    Shapes: before, after [F, H, W, 3] in [0, 1], alike.
    """
    num_frames, height, width, _ = before.shape
    scale = min(1.0, _MOST_PX / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    room = tuple(-(-length // _GRID_PX) * _GRID_PX for length in size)
    is_wide = width > height
    left, top = (0, room[0]) if is_wide else (room[1], 0)
    frames = torch.empty(num_frames, top + room[0], left + room[1], 3)
    for index in range(num_frames):  # one by one: a clip of floats fills memory as it is
        frames[index, : room[0], : room[1]] = _placed(before[index], size, room)
        frames[index, top:, left:] = _placed(after[index], size, room)
    return Stack(frames, size, (left, top))


def _placed(image: Tensor, size: tuple[int, int], room: tuple[int, ...]) -> Tensor:
    picture = image.permute(2, 0, 1)[None].float()
    if tuple(picture.shape[2:]) != size:
        picture = F.interpolate(picture, size=size, mode="bicubic", antialias=True).clamp(0, 1)
    padding = (0, room[1] - size[1], 0, room[0] - size[0])
    return F.pad(picture, padding, mode="replicate")[0].permute(1, 2, 0)
