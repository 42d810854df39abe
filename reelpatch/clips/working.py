"""A clip on its way through an edit: the frames that were chosen, and what is needed to give them back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import FitPlan, check_clip, fit, fit_mask, plan_fit, restore
from reelpatch.clips.frames import Method as FitMethod
from reelpatch.clips.masks import build_mask
from reelpatch.errors import BadInput
from reelpatch.geometry import latent_frames


def pick_frames(
    num_frames: int, fps: Fraction, *, first: int = 0, most: int = 0, new_fps: Fraction | None = None
) -> list[int]:
    """The source frames that make the clip: from `first` on, at most `most` of them (0: all), at `new_fps`.

    A new rate takes the frame nearest in time; frames are repeated or left out, never mixed.

    Units: frames counted from 0; rates in frames per second, `new_fps` None keeps the source's.
    Raises: BadInput when the clip has ended before `first`.
    """
    if not 0 <= first < num_frames:
        raise BadInput(
            f"the clip has {num_frames} frames, so it cannot begin at frame {first}: begin earlier."
        )
    step = Fraction(1) if new_fps is None else fps / new_fps
    available = int((num_frames - 1 - first) / step) + 1
    return [first + int(index * step + Fraction(1, 2)) for index in range(min(most or available, available))]


@dataclass(frozen=True, eq=False)
class WorkingClip:
    """The chosen frames of a source, and the plan that fits them to the model.

    Shapes: source `[F, H, W, 3]` in [0, 1]; made_up `[F, H, W]`, 1 where the source only stands in for what is to be
        made up, as a task lays it out.
    Units: `fps` is the rate of the chosen frames. `sound` is the host's own kind of audio, handed through.
    """

    source: Tensor
    plan: FitPlan
    fps: Fraction
    sound: Any = field(default=None, repr=False)
    made_up: Tensor | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        frames: Tensor,
        fps: Fraction,
        *,
        method: FitMethod | None,
        size: tuple[int, int] | None = None,
        sound: Any = None,
    ) -> "WorkingClip":
        """The clip fitted by `method` to `size` = (height, width), or to the nearest legal one.

        Raises: BadInput for what is no clip, and as `plan_fit`.
        """
        check_clip(frames)
        num_frames, height, width = frames.shape[:3]
        return cls(frames, plan_fit(num_frames, height, width, size=size, method=method), fps, sound)

    @property
    def frames(self) -> Tensor:
        """The clip as it is worked on, `[plan.frames, *plan.size, 3]`."""
        return fit(self.source, self.plan)

    def mask(self, where: Tensor) -> Tensor:
        """A mask of the source's size as it is worked on, `[plan.frames, *plan.size]`.

        `where` is `[F, H, W]`, or one image for all frames; one that already has the working size is taken as it is.
        Raises: BadInput for any other shape, and for a mask without a pixel to edit.
        """
        if where.ndim == 3 and tuple(where.shape) == (self.plan.frames, *self.plan.size):
            mask = build_mask(where, None, frames=len(where), height=where.shape[1], width=where.shape[2])
        else:
            mask = fit_mask(self.source_mask(where), self.plan)
        if not bool(mask.any()):
            raise BadInput("the mask is 0 everywhere, so nothing would be edited: 1 (white) marks what is.")
        return mask

    def source_mask(self, where: Tensor) -> Tensor:
        """The mask at the source's length and size, `[F, H, W]`. Raises: BadInput for one that does not fit."""
        num_frames, height, width = self.source.shape[:3]
        return build_mask(where, None, frames=num_frames, height=height, width=width)

    def finished(self, edited: Tensor, where: Tensor | None = None) -> Tensor:
        """The edited clip back at the source's length and size; outside a mask, the source's own pixels.

        What is not made up is the source's too, and what is never comes back from it, however soft the mask.

        Shapes: edited `[plan.frames, *plan.size, 3]`; result `[F, H, W, 3]`.
        """
        restored = restore(edited.to(self.source), self.plan, self.source)
        source = self.source if self.made_up is None else paste_back(restored, self.source, self.made_up)
        if where is None:
            return restored if self.made_up is None else source
        return paste_back(restored, source, self.source_mask(where))

    def references_in(self, num_latent_frames: int) -> int:
        """How many reference frames stand before the clip in latents of this length.

        Raises: BadInput for latents that are too short to hold the clip.
        """
        own = latent_frames(self.plan.frames)
        if num_latent_frames < own:
            raise BadInput(
                f"the latents have {num_latent_frames} frames, but the clip takes {own} ({self.plan.frames} frames): "
                "connect the latents that were sampled for this clip."
            )
        return num_latent_frames - own


def stills(batches: Sequence[Tensor]) -> list[Tensor]:
    """Every image of the batches, `[n, h, w, c]` each, as one reference of its own, in order."""
    return [image for batch in batches for image in torch.unbind(batch)]
