"""A clip on its way through an edit: the frames that were chosen, and what is needed to give them back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from reelpatch.clips.crop import CropPlan, crop, plan_crop, stitch
from reelpatch.clips.finish import Finish, finish, paste_back
from reelpatch.clips.frames import FitPlan, check_clip, fit, fit_mask, plan_fit, restore
from reelpatch.clips.frames import Method as FitMethod
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.masks import build_mask, grow_mask
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice


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


@dataclass(frozen=True)
class Taken:
    """Which frames of a longer source a clip is: their numbers there. Units: `num_frames` of the source at `fps`."""

    frames: tuple[int, ...]
    num_frames: int
    fps: Fraction


@dataclass(frozen=True, eq=False)
class CutOut:
    """What the source of a cropped clip was cut out of: `whole` [F, H, W, 3], by `boxes`.

    Units: `reach_px` is how far beyond the mask the boxes have room for a finish.
    """

    whole: Tensor
    boxes: CropPlan
    reach_px: int


@dataclass(frozen=True, eq=False)
class WorkedClip:
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
    cut_out: CutOut | None = None
    taken: Taken | None = None

    @classmethod
    def of(
        cls,
        frames: Tensor,
        fps: Fraction,
        *,
        lattice: Lattice,
        method: FitMethod | None,
        size: tuple[int, int] | None = None,
        sound: Any = None,
    ) -> "WorkedClip":
        """The clip fitted by `method` to `size` = (height, width), or to the nearest legal one.

        Raises: BadInput for what is no clip, and as `plan_fit`.
        """
        check_clip(frames)
        num_frames, height, width = frames.shape[:3]
        return cls(
            frames, plan_fit(num_frames, height, width, lattice=lattice, size=size, method=method), fps, sound
        )

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
        Cover.of(mask).check_any()
        return mask

    def source_mask(self, where: Tensor) -> Tensor:
        """The mask at the source's length and size, `[F, H, W]`; for a cropped clip, that of the whole will do too.

        Raises: BadInput for one that does not fit.
        """
        if self.cut_out is not None and where.shape[-2:] == self.cut_out.whole.shape[1:3]:
            return crop(_mask_of(self.cut_out.whole, where), self.cut_out.boxes)
        return _mask_of(self.source, where)

    def cropped_to(
        self, where: Tensor, *, margin_px: int, reach_px: int, size: tuple[int, int] | None = None
    ) -> tuple["WorkedClip", Tensor]:
        """The boxes around a mask as a clip of their own, and the mask in them, `[F, h, w]`.

        Units: `margin_px` of picture around what may change, which is the mask and `reach_px` beyond it; `size` =
        (height, width) is what the boxes are scaled to, None the legal size nearest to their own.
        Raises: BadInput for a clip that is cropped already, a mask that does not fit, and as `plan_crop`.
        """
        if self.cut_out is not None:
            raise BadInput(
                "the clip is cropped to a mask already: crop it once, to a mask of all that changes."
            )
        if self.made_up is not None:
            raise BadInput(
                "the clip was laid out by a VACE task, which says itself what is made up: leave Crop to mask out."
            )
        mask = self.source_mask(where)
        lattice = self.plan.lattice
        boxes = plan_crop(grow_mask(mask, px=reach_px), multiple=lattice.size_multiple, margin_px=margin_px)
        inner = WorkedClip.of(
            crop(self.source, boxes), self.fps, lattice=lattice, method="pad", size=size, sound=self.sound
        )
        cut_out = CutOut(self.source, boxes, reach_px)
        return replace(inner, cut_out=cut_out, taken=self.taken), crop(mask, boxes)

    def finished(self, edited: Tensor, where: Tensor | None = None, how: Finish = Finish()) -> Tensor:
        """The edited clip back at the length and size it had; outside a mask, the source's own pixels.

        What is not made up is the source's too, and what is never comes back from it, however soft the mask. Of a pair canvas, which
        is twice as wide, the right half is the clip.

        Shapes: edited `[plan.frames, *plan.size, 3]`, or twice as wide; result `[F, H, W, 3]`, that of the whole for a cropped clip.
        Raises: BadInput for a finish that needs a mask where there is none, or more room than the boxes have, and for a
            mask that keeps nothing of the edit.
        """
        mask = self.made_up if where is None else self.source_mask(where)
        if where is not None and mask is not None:
            Cover.of(mask).check_any()
        if mask is None and (how.grow_px or how.feather_px):
            raise BadInput(
                "grow and feather work on a mask, and none is connected: connect one, or set both to 0."
            )
        width = self.plan.size[1]
        made_part = edited[:, :, width:] if edited.shape[2] == 2 * width else edited
        restored = restore(made_part.to(self.source), self.plan, self.source)
        source = self.source if self.made_up is None else paste_back(restored, self.source, self.made_up)
        made = finish(restored, source, mask, how)
        if self.cut_out is None:
            return made
        reach = how.grow_px + how.feather_px
        if reach > self.cut_out.reach_px:
            raise BadInput(
                f"grow and feather reach {reach} pixels beyond the mask, but the clip was cropped with room for "
                f"{self.cut_out.reach_px}: set reach of Crop to mask to {reach}."
            )
        return stitch(made, self.cut_out.boxes, self.cut_out.whole)

    def references_in(self, num_latent_frames: int) -> int:
        """How many reference frames stand before the clip in latents of this length.

        Raises: BadInput for latents that are too short to hold the clip.
        """
        own = self.plan.lattice.latent_frames(self.plan.frames)
        if num_latent_frames < own:
            raise BadInput(
                f"the latents have {num_latent_frames} frames, but the clip takes {own} ({self.plan.frames} frames): "
                "connect the latents that were sampled for this clip."
            )
        return num_latent_frames - own


def _mask_of(clip: Tensor, where: Tensor) -> Tensor:
    frames, height, width = clip.shape[:3]
    return build_mask(where, None, frames=frames, height=height, width=width)


def stills(batches: Sequence[Tensor]) -> list[Tensor]:
    """Every image of the batches, `[n, h, w, c]` each, as one reference of its own, in order."""
    return [image for batch in batches for image in torch.unbind(batch)]


@dataclass(frozen=True, eq=False)
class WorkedPart:
    """The whole clip, or the boxes of it around its mask, and the way back.

    Shapes: clip [F, h, w, 3] and mask [F, h, w] as they are worked on; source [F, H, W, 3].
    """

    source: Tensor
    clip: Tensor
    mask: Tensor | None
    crop: CropPlan | None
    how: Finish

    def finished(self, edited: Tensor) -> Tensor:
        """The source with the edit [F, h, w, 3] in it; beyond the feather of the mask, bit for bit as it was."""
        fitted = finish(edited, self.clip, self.mask, self.how)
        return fitted if self.crop is None else stitch(fitted, self.crop, self.source)


@dataclass(frozen=True, slots=True)
class Finishing:
    """How an edit is fitted to its clip; `crop_px` is the margin of a box around the mask, None for the whole picture."""

    how: Finish = Finish()
    crop_px: int | None = None

    def part_of(self, source: Tensor, mask: Tensor | None, lattice: Lattice) -> WorkedPart:
        """What is worked on, of the clip [F, H, W, 3] and its mask [F, H, W].

        Raises: BadInput for what needs a mask where there is none, and as `plan_crop`.
        """
        if mask is None:
            self.check_without_mask()
            return WorkedPart(source, source, None, None, self.how)
        if self.crop_px is None:
            return WorkedPart(source, source, mask, None, self.how)
        # The box holds all that pasting back may touch, so that nothing is cut off at its border.
        reach = max(0, self.how.grow_px) + self.how.feather_px
        plan = plan_crop(grow_mask(mask, px=reach), multiple=lattice.size_multiple, margin_px=self.crop_px)
        return WorkedPart(source, crop(source, plan), crop(mask, plan), plan, self.how)

    def check_without_mask(self) -> None:
        """Raises: BadInput for what needs a mask."""
        given = {
            "grow": self.how.grow_px != 0,
            "feather": self.how.feather_px != 0,
            "crop": self.crop_px is not None,
        }
        for name, is_given in given.items():
            if is_given:
                raise BadInput(
                    f"{name} works on a mask, and none was given: give a mask, or leave it out.",
                    setting=(name, "mask"),
                )
