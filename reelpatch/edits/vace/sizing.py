"""The size and the frames that VACE's own pipeline works on: a budget of tokens, whole-clip sampling, cover and crop.

Source: ali-vilab/VACE, `VaceVideoProcessor` (commit 48eb44f), which uses two budgets: 81 frames of 832x480 and of
1280x720. Its rule works for any; a recipe's own size and length are its budget here.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from typing import Literal

from torch import Tensor

from reelpatch.clips.cover import cover
from reelpatch.clips.frames import Size
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

Sampling = Literal["first", "uniform"]
_MULTIPLE, _PER_LATENT = WAN.lattice.size_multiple, WAN.lattice.frames_per_latent


@dataclass(frozen=True)
class TokenBudget:
    """How many tokens one latent frame may have, and all of them together.

    Units: `frame_tokens` may be a fraction, as the published rule has it.
    """

    frame_tokens: Fraction
    tokens: int

    @classmethod
    def of(cls, frames: int, height: int, width: int) -> "TokenBudget":
        """The budget that a clip of this length and size uses up.

        Raises: BadInput for a length or size that is not legal; the message offers the nearest.
        """
        legal_frames, legal_size = WAN.lattice.nearest_frames(frames), WAN.lattice.nearest_size(height, width)
        if frames != legal_frames:
            raise BadInput(
                f"a length of {frames} frames does not fit the model, which takes 1, 5, 9, ... (4n + 1) frames: "
                f"use {legal_frames}.",
                setting="frames",
            )
        if (height, width) != legal_size:
            raise BadInput(
                f"the size {_named((height, width))} is not a multiple of {_MULTIPLE} both ways: "
                f"use {_named(legal_size)}.",
                setting="size",
            )
        frame_tokens = Fraction(height * width, _MULTIPLE**2)
        return cls(frame_tokens, int(frame_tokens * WAN.lattice.latent_frames(frames)))


@dataclass(frozen=True)
class SizePlan:
    """Which frames of a clip are worked on, and at what size = (height, width) in pixels."""

    source_frames: int
    source_size: Size
    size: Size
    picks: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many are worked on, 4n + 1."""
        return len(self.picks)

    def describe(self) -> str:
        """One sentence for the person whose clip it is: nothing is cut or left out unsaid."""
        work = f"{_named(self.size)}, {self.frames} frames"
        if self.size == self.source_size and self.frames == self.source_frames:
            return f"Worked on as it is: {work}."
        steps: list[str] = []
        if self.size != self.source_size:
            steps.append(f"scaled from {_named(self.source_size)} to cover that size, the overhang cut off")
        if self.picks == tuple(range(self.frames)):
            if self.frames < self.source_frames:
                steps.append(f"the last {self.source_frames - self.frames} frames are left out")
        else:
            steps.append(f"picked evenly from all {self.source_frames} frames")
        return f"Worked on as {work}: {'; '.join(steps)}."

    def apply(self, images: Tensor) -> Tensor:
        """The picked frames at the planned size, [F, H, W, C] in [0, 1]; a single still counts for all of them.

        Raises: ValueError for another number of frames than 1 or the plan's.
        """
        if images.shape[0] == 1:
            return cover(images, self.size).expand(self.frames, -1, -1, -1)
        if images.shape[0] != self.source_frames:
            raise ValueError(f"the plan is for {self.source_frames} frames, not {images.shape[0]}")
        return cover(images[list(self.picks)], self.size)

    def apply_to_mask(self, mask: Tensor) -> Tensor:
        """As `apply`, for [F, H, W]; scaled edges are soft."""
        return self.apply(mask[..., None])[..., 0]


def plan_size(
    frames: int,
    size: Size,
    budget: TokenBudget,
    *,
    sampling: Sampling = "uniform",
    times_s: Sequence[Fraction] | None = None,
) -> SizePlan:
    """The largest working size and length within the budget that keep the aspect and enlarge nothing but by rounding.

    `uniform`, the published way, picks frames evenly over the whole clip, so that a long one is sped up; `first`
    takes as many from its start. `times_s`, of a clip without a fixed rate, says when its frames are shown.

    Units: size = (height, width) in pixels.
    Raises: BadInput for a clip that is smaller than one token, or that is too long and narrow for the budget.
    """
    height, width = size
    if frames < 1 or min(size) < _MULTIPLE:
        raise BadInput(
            f"the clip has {frames} frames of {_named(size)}: give at least one of {_MULTIPLE}x{_MULTIPLE}."
        )
    area = min(
        Fraction(budget.tokens),
        budget.frame_tokens,
        Fraction((height // _MULTIPLE) * (width // _MULTIPLE)),
    )
    latents = min((frames - 1) // _PER_LATENT + 1, int(budget.tokens / area))
    area = min(area, Fraction(budget.tokens // latents))
    rows = round(sqrt(area * height / width))
    columns = int(area / rows) if rows else 0
    if not rows or not columns:
        raise BadInput(
            f"the clip is {_named(size)}, too long and narrow to be worked on within {int(area)} tokens a frame: "
            "crop it, or ask for more.",
            setting="size",
        )
    count = _PER_LATENT * (latents - 1) + 1
    picks = even_picks(frames, count, times_s) if sampling == "uniform" else tuple(range(count))
    return SizePlan(frames, size, (rows * _MULTIPLE, columns * _MULTIPLE), picks)


def even_picks(frames: int, count: int, times_s: Sequence[Fraction] | None = None) -> tuple[int, ...]:
    """The frames shown at `count` evenly spaced moments, from the first to the middle of the last frame.

    At a moment between two frames the earlier one is taken. Computed in fractions: the published code compares
    32-bit times with 64-bit ones, and may fall to the other side there.

    Source: `VaceVideoProcessor._get_frameid_bbox_adjust_last`.
    """
    starts = list(times_s) if times_s else [Fraction(index) for index in range(frames)]
    last_s = (starts[-1] - starts[0]) / (frames - 1) if frames > 1 else Fraction(1)
    ends = [*(end for _, end in pairwise(starts)), starts[-1] + last_s]
    step = (starts[-1] + ends[-1]) / 2 / max(1, count - 1)
    return tuple(bisect_left(ends, index * step) for index in range(count))


def _named(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
