"""Finishing: the kept pixels of the source go back where the mask says keep, and the edit is fitted to them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reelpatch.clips.colour_match import Match, match_colour
from reelpatch.clips.edge_blend import follow_edges
from reelpatch.clips.masks import feather_mask, grow_mask
from reelpatch.errors import BadInput

Blend = Literal["plain", "edges"]
MOST_PX = 512


@dataclass(frozen=True)
class Finish:
    """How an edit is fitted to the clip around it.

    Units: `grow_px` (negative shrinks) and `feather_px` in pixels; `match_frames` in frames, 0 for one match of all.
    Raises: BadInput for lengths no clip has.
    """

    grow_px: int = 0
    feather_px: int = 0
    blend: Blend = "plain"
    match: Match | None = None
    match_frames: float = 8.0

    def __post_init__(self) -> None:
        if abs(self.grow_px) > MOST_PX:
            raise BadInput(
                f"the mask grows by {self.grow_px} pixels: use -{MOST_PX} to {MOST_PX}.", setting="grow"
            )
        if not 0 <= self.feather_px <= MOST_PX:
            raise BadInput(f"the feather is {self.feather_px} pixels: use 0 to {MOST_PX}.", setting="feather")
        if not 0 <= self.match_frames < float("inf"):
            raise BadInput(
                f"colours are matched over {self.match_frames:g} frames: use 0 for the whole clip, or more.",
                setting="match_frames",
            )
        if self.blend == "edges" and self.feather_px == 0:
            raise BadInput(
                "a blend along edges needs a feather to lie in: give one, such as 8 pixels.",
                setting="feather",
            )


def finish(edited: Tensor, source: Tensor, mask: Tensor | None, how: Finish) -> Tensor:
    """The edit with its colours matched where it should equal the source, pasted into the source by its mask.

    Without a mask there is nothing to paste, and colours are matched over the whole picture.

    Shapes: edited, source, result [F, H, W, 3] in [0, 1]; mask [F, H, W].
    Guarantees: as `paste_back`.
    """
    if how.match is not None:
        # Where the model had to keep the picture, it shows by how much it moves all colours.
        kept = None if mask is None else mask == 0
        edited = match_colour(edited, source, kept, by=how.match, smooth_frames=how.match_frames)
    if mask is None:
        return edited
    return paste_back(edited, source, mask, grow_px=how.grow_px, feather_px=how.feather_px, blend=how.blend)


def paste_back(
    edited: Tensor,
    source: Tensor,
    mask: Tensor,
    *,
    grow_px: int = 0,
    feather_px: int = 0,
    blend: Blend = "plain",
) -> Tensor:
    """The edit inside the mask and the untouched source outside it, blended where the mask is soft.

    The mask is grown first, then feathered; see `grow_mask` and `feather_mask` for their reach.

    Shapes: edited, source [F, H, W, 3] in [0, 1]; mask [F, H, W].
    Guarantees: where the grown and feathered mask is 0 the result equals the source bit for bit.
    """
    grown = grow_mask(mask, px=grow_px)
    alpha = feather_mask(grown, px=feather_px)
    if blend == "edges":
        alpha = follow_edges(alpha, grown.to(alpha), source, radius_px=feather_px)
    alpha = alpha[..., None].to(source)
    # `where`, because a non-finite edit would leak through the blend as 0 * NaN.
    return torch.where(alpha > 0, torch.lerp(source, edited.to(source), alpha), source)
