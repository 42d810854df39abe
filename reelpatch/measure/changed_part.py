"""Where and when two clips differ, as a mask, and whether a pair of them is worth being learned from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.measure.measures import Frames, Measures, measure

LEVEL = 24
"""From how many levels of 255 on, in any colour, a pixel counts as changed: above what noise and compression leave."""
GROWN_PX = 2
"""How far the mask reaches beyond what changed, for soft edges."""

MOST = 100.0
"""Of decibels and of ratios that have no end: records are JSON, which knows no infinity."""


def changed_part(source: Frames, target: Frames) -> Tensor:
    """1 where the clips differ, single pixels left out, grown by `GROWN_PX`; [F, H, W] float.

    Shapes: source, target [F, H, W, 3] uint8.
    """
    apart = np.abs(source.astype(np.int16) - target).max(axis=-1) > LEVEL
    mask = torch.from_numpy(apart).float()[:, None]
    # An opening by 3x3 takes away what is narrower than that; borders count as changed beyond the picture.
    eroded = -F.max_pool2d(F.pad(-mask, (1, 1, 1, 1), value=-1.0), 3, 1)
    opened = F.max_pool2d(eroded, 3, 1, 1)
    return F.max_pool2d(opened, 2 * GROWN_PX + 1, 1, GROWN_PX)[:, 0]


@dataclass(frozen=True)
class PairMeasures:
    """A pair of clips beside each other: how alike outside the mask, how different inside, and how much more it flickers.

    Units: PSNR in dB, None where all of the picture changed; change in levels of 255, None where nothing did; `share` is the
    part of all pixels that is in the mask.
    """

    psnr_outside: float | None
    ssim_outside: float | None
    change_inside: float | None
    share: float
    flicker_ratio: float | None

    @classmethod
    def of(cls, source: Frames, target: Frames, mask: Tensor) -> PairMeasures:
        """Of clips [F, H, W, 3] uint8 and the mask of what changed [F, H, W]."""
        found: Measures = measure(source, target, mask)
        likeness, ratio = found.psnr_outside, found.flicker and found.flicker.ratio
        return cls(
            None if likeness is None else min(likeness, MOST),
            found.ssim_outside,
            found.change_inside,
            float(mask.mean()),
            None if ratio is None else min(ratio, MOST),
        )


@dataclass(frozen=True)
class PairFilter:
    """Which pairs are good enough: the thresholds are ours, and stand in every record; 0 asks for nothing.

    Units: as in `PairMeasures`.
    """

    min_psnr_outside: float = 26.0
    min_change_inside: float = 12.0
    min_share: float = 0.002
    max_flicker_ratio: float = 2.0

    def problems(self, found: PairMeasures) -> list[str]:
        """Why a pair is not good enough, one reason each; empty for one that is."""
        said: list[str] = []
        change, likeness = found.change_inside, found.psnr_outside
        if self.min_change_inside > 0 and (change is None or found.share < self.min_share):
            said.append(f"nothing changed ({found.share:.4f} of the pixels, {self.min_share:g} needed)")
        elif change is not None and change < self.min_change_inside:
            said.append(
                f"little changed ({change:.1f} levels where it did, {self.min_change_inside:g} needed)"
            )
        if self.min_psnr_outside > 0 and likeness is None:
            said.append("all of the picture changed, so that nothing is left to be alike")
        elif likeness is not None and likeness < self.min_psnr_outside:
            said.append(
                f"the rest differs too ({likeness:.1f} dB outside the change, {self.min_psnr_outside:g} needed)"
            )
        if found.flicker_ratio is not None and found.flicker_ratio > self.max_flicker_ratio:
            said.append(
                f"the target flickers ({found.flicker_ratio:.2f} times as much, {self.max_flicker_ratio:g} allowed)"
            )
        return said

    def as_dict(self) -> dict[str, Any]:
        """In plain types."""
        return asdict(self)
