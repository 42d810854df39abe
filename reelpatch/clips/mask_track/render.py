"""A mask track as masks: any source frame by itself, with the memory of a few frames however long the clip is."""

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from reelpatch.clips.finish import MOST_PX
from reelpatch.clips.frames import Size
from reelpatch.clips.mask_track.coverage import Plane
from reelpatch.clips.mask_track.drawing import LaidOut, MaskFrames, draw_all, lay_out
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.placing import Motion, Scale
from reelpatch.clips.mask_track.ramps import ramps_at
from reelpatch.clips.mask_track.records import Masks, MaskTrack
from reelpatch.clips.masks import feather_mask, grow_mask
from reelpatch.errors import BadInput


class TrackRenderer:
    """Draws the masks of a track for one source clip.

    `masks` are those from elsewhere, by the number of their region, for every region that is of the kind.
    Units: `size` = (height, width) of the source.
    Guarantees: a frame is the same whichever frames were asked for before it.
    Raises: BadInput as `Moments.check`, and for edges that would be softened or moved by more than a finish may.
    """

    def __init__(
        self, track: MaskTrack, size: Size, moments: Moments, masks: Mapping[int, MaskFrames] | None = None
    ) -> None:
        moments.check(track.times)
        self._track, self._moments, self._masks = track, moments, masks or {}
        self._scale = Scale(track.units, size)
        self._motions = [Motion(region) for region in track.regions]
        self._grow_px = round(_reach("grow", track.grow, self._scale))
        self._feather_px = round(_reach("feather", track.feather, self._scale))
        for index, region in enumerate(track.regions):
            for key in region.keyframes:
                _reach(f"feather of regions[{index}]", key.feather or 0, self._scale)
        self._steady = track.smooth_frames
        self._drawn: OrderedDict[int, Plane] = OrderedDict()

    @property
    def num_frames(self) -> int:
        """Of the source, and so of the mask."""
        return self._moments.num_frames

    def frame(self, number: int) -> Tensor:
        """The mask of a source frame, counted from 0, [H, W] in [0, 1]."""
        mask = torch.from_numpy(self._averaged(number))
        if not self._grow_px and not self._feather_px:
            return mask
        return feather_mask(grow_mask(mask[None], px=self._grow_px), px=self._feather_px)[0]

    def part(self, first: int, end: int) -> Tensor:
        """The masks of source frames `first` to before `end`, [n, H, W]."""
        return torch.stack([self.frame(number) for number in range(first, end)])

    def _averaged(self, number: int) -> Plane:
        """Over the frames around it, in their order; the ends of the clip go on beyond it."""
        if not self._steady:
            return self._regions(number)
        total = np.zeros(self._scale.size, np.float64)
        for other in range(number - self._steady, number + self._steady + 1):
            total += self._remembered(min(max(other, 0), self.num_frames - 1))
        return (total / (2 * self._steady + 1)).astype(np.float32)

    def _remembered(self, number: int) -> Plane:
        if number not in self._drawn:
            self._drawn[number] = self._regions(number)
            while len(self._drawn) > 2 * self._steady + 1:
                self._drawn.popitem(last=False)
        return self._drawn[number]

    def _regions(self, number: int) -> Plane:
        """All regions in their order, [H, W]."""
        mask = np.zeros(self._scale.size, np.float32)
        moment = self._moments.of(number, self._track.times)
        layouts: list[LaidOut] = []
        masks: dict[int, MaskFrames] = {}
        for index, (region, motion) in enumerate(zip(self._track.regions, self._motions, strict=True)):
            ramps = ramps_at(region.envelope, moment)
            if ramps is None:
                continue
            if index in self._masks:
                masks[len(layouts)] = self._masks[index]
            layouts.append(lay_out(region, motion.at(moment), ramps, self._scale))
        for laid, patch in zip(layouts, draw_all(layouts, self._scale, masks, number), strict=True):
            under = mask[patch.index]
            if laid.region.mode == "add":
                np.maximum(under, patch.values, out=under)
            else:
                np.minimum(under, 1 - patch.values, out=under)
        return mask


def _reach(name: str, length: float, scale: Scale) -> float:
    """A length in pixels. Raises: BadInput for one that is too far to be drawn in reasonable time."""
    pixels = scale.length(length)
    if abs(pixels) > MOST_PX:
        raise BadInput(
            f"the mask track has a {name} of {abs(pixels):.0f} pixels in this clip: use at most {MOST_PX}.",
            setting="mask",
        )
    return pixels


def regions_of_masks(track: MaskTrack) -> dict[int, Masks]:
    """The regions that are masks from elsewhere, by their number."""
    return {
        index: region.shape for index, region in enumerate(track.regions) if isinstance(region.shape, Masks)
    }
