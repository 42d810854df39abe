"""A picture on its way through an edit: what of it is worked on, at which size, how, and what gives it back."""

from dataclasses import dataclass

from torch import Tensor

from reelpatch.clips.worked_clip import Finishing, WorkedPart
from reelpatch.edits.reasoning.settings import PictureEdit
from reelpatch.edits.reasoning.sizing import PictureFit, Size, fit_picture
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice


@dataclass(frozen=True, eq=False)
class WorkedPicture:
    """A picture, or the box of it around its mask, with the size it is worked on at, and the way back."""

    part: WorkedPart
    fit: PictureFit
    how: PictureEdit

    @classmethod
    def of(
        cls,
        picture: Tensor,
        mask: Tensor | None,
        how: PictureEdit,
        *,
        finishing: Finishing,
        lattice: Lattice,
        area: Size,
        called: str = "the picture",
    ) -> "WorkedPicture":
        """The picture fitted to the pixels of `area` = (height, width), all of it, or the box around its mask.

        `called` is what a refusal calls it.
        Shapes: picture [H, W, 3], mask [1, H, W], both in [0, 1].
        Raises: `BadInput` for a picture that is larger than a method that enlarges would make it; as
            `PictureEdit.check_mask`, `fit_picture` and `Finishing.part_of`.
        """
        how.check_mask(is_given=mask is not None)
        part = finishing.part_of(picture[None], mask, lattice)
        fit = fit_picture((part.clip.shape[1], part.clip.shape[2]), lattice, area)
        (height, width), (tall, wide) = fit.source, fit.size
        if how.enlarges and tall * wide < height * width:
            raise BadInput(
                f"{called} has {width}x{height} pixels already, more than it would be brought to ({wide}x{tall}): name a "
                "larger size.",
                setting="size",
            )
        return cls(part, fit, how)

    @property
    def picture(self) -> Tensor:
        """What of it is worked on, at its own size, [h, w, 3]."""
        return self.part.clip[0]

    @property
    def fitted(self) -> Tensor:
        """The same at the size it is worked on at."""
        return self.fit.fit(self.picture)

    def describe(self) -> str:
        """What is done to it, for the person whose picture it is."""
        box = "" if self.part.crop is None else f"{self.part.crop.describe()} "
        return f"{box}{self.fit.describe(enlarges=self.how.enlarges)}"

    def restored(self, made: Tensor) -> Tensor:
        """The edit [..., h, w, 3], as it was worked on, at the size it is given back at."""
        return made if self.how.enlarges else self.fit.restore(made)

    def finished(self, restored: Tensor) -> Tensor:
        """The picture with the edit [h, w, 3] in it; what a mask keeps, bit for bit as it was."""
        return restored if self.how.enlarges else self.part.finished(restored[None])[0]
