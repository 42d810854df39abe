"""Masks of a track for the editor: the engine's own, frame by frame, in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from reelpatch.clips.mask_track.drawing import MaskFrames
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import MaskTrack
from reelpatch.clips.mask_track.render import TrackRenderer, regions_of_masks
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


def drawn_masks(
    text: str | bytes, asked: MaskRequest, given: MaskFrames | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Masks of a track in bytes, 255 where the engine has 1, frame after frame, and what they are.

    `given` are the masks that a run of this clip had connected. Without them, regions of the kind are left out, as nobody
    knows them before the graph runs. The numbers of regions are told: those left out, and those that are of the run.
    Raises: BadInput as `read_track` and `TrackRenderer`.
    """
    track = read_track(text)
    connected = list(regions_of_masks(track))
    masks: Mapping[int, MaskFrames] = {} if given is None else dict.fromkeys(connected, given)
    shown = track if masks else _without(track, connected)
    renderer = TrackRenderer(shown, (asked.height, asked.width), Moments(asked.frames, asked.fps), masks)
    share = min(1.0, asked.most / max(asked.height, asked.width))
    height, width = (max(1, round(side * share)) for side in (asked.height, asked.width))
    fitting = max(1, _MOST_BYTES // (height * width))
    end = min(asked.first + min(asked.count, fitting), asked.frames)
    drawn = torch.stack([_bytes(renderer.frame(number), height, width) for number in range(asked.first, end)])
    told = {"width": width, "height": height, "first": asked.first, "count": len(drawn)}
    return drawn.numpy().tobytes(), {
        **told,
        "left_out": [] if masks else connected,
        "of_run": sorted(masks),
    }


def _bytes(mask: Tensor, height: int, width: int) -> Tensor:
    """[H, W] in [0, 1] -> [height, width] of 0 to 255; where it is smaller, each pixel is the mean of those under it."""
    if mask.shape != (height, width):
        mask = torch.nn.functional.interpolate(mask[None, None], size=(height, width), mode="area")[0, 0]
    return (mask * 255).round().to(torch.uint8)


def _without(track: MaskTrack, left_out: list[int]) -> MaskTrack:
    return replace(
        track, regions=tuple(one for index, one in enumerate(track.regions) if index not in left_out)
    )
