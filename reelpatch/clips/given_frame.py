"""The first frame of a clip as it is to become: an edit keeps it, and the rest of the clip follows."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.errors import BadInput

Size = tuple[int, int]
_SAME_SHAPE = 0.02  # how far the shape of a picture may be from that of its clip, as a part of it


@dataclass(frozen=True, eq=False)
class GivenFrame:
    """A picture [H, W, 3] in [0, 1], of the clip's size, shown for `held` frames: what stands in front is cut off again.

    One that `is_beside` is shown where a pair canvas makes the clip, and the source keeps its own frame 0.
    """

    picture: Tensor
    held: int = 1
    is_beside: bool = False

    @classmethod
    def of(cls, picture: Tensor, size: Size, *, held: int = 1, is_beside: bool = False) -> "GivenFrame":
        """A picture [h, w, 3] brought to the (height, width) of the clip.

        Raises: `BadInput` for one of another shape.
        """
        given = (picture.shape[0], picture.shape[1])
        if given == size:
            return cls(picture, held, is_beside)
        shape = (given[0] / given[1]) / (size[0] / size[1])
        if abs(shape - 1) > _SAME_SHAPE:
            raise BadInput(
                f"the first frame is {given[1]}x{given[0]} and the clip {size[1]}x{size[0]}, of another shape: give frame 0 of "
                "the clip as it is to become, all of it.",
                setting="first_frame",
            )
        batch = F.interpolate(
            picture.permute(2, 0, 1)[None], size=size, mode="bicubic", antialias=True, align_corners=False
        )
        return cls(batch[0].permute(1, 2, 0).clamp(0, 1), held, is_beside)

    @property
    def lead(self) -> int:
        """How many frames stand in front of the clip's own."""
        return self.held - 1

    def describe(self, name: str) -> str:
        """What becomes of the picture that goes by this name, in a sentence or two."""
        held = f" It is shown for {self.lead} frames more in front of it." if self.lead else ""
        return f"{name} is kept as frame 0, and the rest of the clip follows it.{held}"

    @staticmethod
    def check_follows(num_frames: int) -> None:
        """Raises: `BadInput` for a clip of so many frames in which nothing is left to follow."""
        if num_frames < 2:
            raise BadInput(
                "the clip has one frame, which the given one replaces, so that nothing is left to follow: edit it as a picture.",
                setting="first_frame",
            )

    def put(self, clip: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Clip and mask with the picture, kept, in place of the first frame and in front of it.

        Shapes: clip [F, H, W, 3] -> [lead + F, H, W, 3]; mask [F, H, W], None for everywhere, -> [lead + F, H, W].
        Raises: `BadInput` as `check_follows`.
        """
        self.check_follows(len(clip))
        mask = torch.ones(clip.shape[:3]) if mask is None else mask
        held = self.picture.to(clip).expand(self.held, -1, -1, -1)
        return (
            torch.cat([held, clip[1:]]),
            torch.cat([torch.zeros(self.held, *mask.shape[1:]), mask[1:].float()]),
        )
