"""Masks of a track for the editor: the engine's own, frame by frame, in bytes."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import Masks, MaskTrack
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.mask_track.text import read_track
from reelpatch.errors import BadInput

BOUNDS = {
    "width": (1, 16384),
    "height": (1, 16384),
    "frames": (1, 10_000_000),
    "first": (0, 10_000_000),
    "count": (1, 64),
    "most": (16, 2048),
}
_MOST_PIXELS = 1 << 26
_MOST_BYTES = 1 << 24  # of an answer; more than one mask only as far as they fit


@dataclass(frozen=True)
class MaskRequest:
    """Which masks are asked for: `count` frames from `first` on, of a clip of `frames`; no side longer than `most`.

    Units: `width`, `height` and `most` in pixels; `fps` None where the clip has no rate.
    Raises: BadInput for a frame that the clip does not have, and for pictures that are too large.
    """

    width: int
    height: int
    frames: int
    first: int
    count: int
    most: int
    fps: Fraction | None

    def __post_init__(self) -> None:
        if self.width * self.height > _MOST_PIXELS:
            raise BadInput(f"{self.width}x{self.height} are more than {_MOST_PIXELS} pixels: ask for fewer.")
        if self.first >= self.frames:
            raise BadInput(
                f"first is {self.first}, but the clip has {self.frames} frames: ask for one of them."
            )


def drawn_masks(text: str | bytes, asked: MaskRequest) -> tuple[bytes, dict[str, Any]]:
    """Masks of a track in bytes, 255 where the engine has 1, frame after frame, and what they are.

    Regions whose masks come from elsewhere are left out, as nobody knows them before the graph runs; their numbers are told.
    Raises: BadInput as `read_track` and `TrackRenderer`.
    """
    track, left_out = _without_masks(read_track(text))
    renderer = TrackRenderer(track, (asked.height, asked.width), Moments(asked.frames, asked.fps))
    share = min(1.0, asked.most / max(asked.height, asked.width))
    height, width = (max(1, round(side * share)) for side in (asked.height, asked.width))
    fitting = max(1, _MOST_BYTES // (height * width))
    end = min(asked.first + min(asked.count, fitting), asked.frames)
    masks = torch.stack([_bytes(renderer.frame(number), height, width) for number in range(asked.first, end)])
    told = {"width": width, "height": height, "first": asked.first, "count": len(masks), "left_out": left_out}
    return masks.numpy().tobytes(), told


def _bytes(mask: Tensor, height: int, width: int) -> Tensor:
    """[H, W] in [0, 1] -> [height, width] of 0 to 255; where it is smaller, each pixel is the mean of those under it."""
    if mask.shape != (height, width):
        mask = torch.nn.functional.interpolate(mask[None, None], size=(height, width), mode="area")[0, 0]
    return (mask * 255).round().to(torch.uint8)


def _without_masks(track: MaskTrack) -> tuple[MaskTrack, list[int]]:
    left_out = [index for index, region in enumerate(track.regions) if isinstance(region.shape, Masks)]
    kept = tuple(region for index, region in enumerate(track.regions) if index not in left_out)
    return replace(track, regions=kept), left_out
