"""What an edit works on of its clip, and how it is put back."""

from dataclasses import dataclass

from torch import Tensor

from reelpatch.clips.crop import CropPlan, crop, plan_crop, stitch
from reelpatch.clips.finish import Finish, finish
from reelpatch.clips.masks import grow_mask
from reelpatch.errors import BadInput


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


@dataclass(frozen=True)
class Finishing:
    """How an edit is fitted to its clip; `crop_px` is the margin of a box around the mask, None for the whole picture."""

    how: Finish = Finish()
    crop_px: int | None = None

    def part_of(self, source: Tensor, mask: Tensor | None) -> WorkedPart:
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
        plan = plan_crop(grow_mask(mask, px=reach), margin_px=self.crop_px)
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
                    option=f"--{name}, --mask",
                )
