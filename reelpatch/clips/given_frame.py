"""A frame of a clip as it is to become, the first or another: an edit keeps it, and the rest of the clip follows."""

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
    Units: `at` is the number of the frame that it is, counted from 0.
    """

    picture: Tensor
    held: int = 1
    is_beside: bool = False
    at: int = 0

    @classmethod
    def of(
        cls, picture: Tensor, size: Size, *, held: int = 1, is_beside: bool = False, at: int = 0
    ) -> "GivenFrame":
        """A picture [h, w, 3] brought to the (height, width) of the clip.

        Raises: `BadInput` for one of another shape.
        """
        given = (picture.shape[0], picture.shape[1])
        if given == size:
            return cls(picture, held, is_beside, at)
        shape = (given[0] / given[1]) / (size[0] / size[1])
        if abs(shape - 1) > _SAME_SHAPE:
            called = f"the picture of frame {at}" if at else "the first frame"
            raise BadInput(
                f"{called} is {given[1]}x{given[0]} and the clip {size[1]}x{size[0]}, of another shape: give frame {at} of the "
                "clip as it is to become, all of it.",
                setting="first_frame",
            )
        batch = F.interpolate(
            picture.permute(2, 0, 1)[None], size=size, mode="bicubic", antialias=True, align_corners=False
        )
        return cls(batch[0].permute(1, 2, 0).clamp(0, 1), held, is_beside, at)

    @property
    def lead(self) -> int:
        """How many frames stand in front of the clip's own."""
        return self.held - 1

    def describe(self, name: str, frames_per_latent: int = 1) -> str:
        """What becomes of the picture that goes by this name, in a sentence or more.

        Units: `frames_per_latent` is how many frames the model sees as one, after the first.
        """
        told = f"{name} is kept as frame {self.at}, and the rest of the clip follows it."
        if self.lead:
            told += f" It is shown for {self.lead} frames more in front of it."
        first = 1 + (self.at - 1) // frames_per_latent * frames_per_latent
        if self.at and not self.lead and frames_per_latent > 1:
            told += (
                f" The model sees frames {first} to {first + frames_per_latent - 1} as one, of which it is told that frame {self.at} "
                "is kept."
            )
        return told

    def check_follows(self, num_frames: int) -> None:
        """Raises: `BadInput` for a clip of so many frames that does not have the frame, or in which nothing is left to follow."""
        if num_frames < 2:
            raise BadInput(
                "the clip has one frame, which the given one replaces, so that nothing is left to follow: edit it as a picture.",
                setting="first_frame",
            )
        check_frame_number(self.at, num_frames)

    def put(self, clip: Tensor, mask: Tensor | None, *, begins: int = 0) -> tuple[Tensor, Tensor]:
        """A part of the clip, whose first frame has the number `begins`, and its mask, with the picture kept and in front of it.

        Shapes: clip [F, H, W, 3] -> [lead + F, H, W, 3]; mask [F, H, W], None for everywhere, -> [lead + F, H, W].
        """
        mask = torch.ones(clip.shape[:3]) if mask is None else mask.float()
        here = self.at - begins
        held = self.picture.to(clip).expand(self.held, -1, -1, -1)
        kept = torch.zeros(self.held, *mask.shape[1:])
        return (
            torch.cat([clip[:here], held, clip[here + 1 :]]),
            torch.cat([mask[:here], kept, mask[here + 1 :]]),
        )

    def without_lead(self, clip: Tensor, *, begins: int = 0) -> Tensor:
        """A part [lead + F, H, W, 3] as `put` makes it, without what stands in front of the picture."""
        here = self.at - begins
        return torch.cat([clip[:here], clip[here + self.lead :]])


def check_frame_number(at: int, num_frames: int) -> None:
    """Raises: `BadInput` for the number of a frame that a clip of so many does not have."""
    if not 0 <= at < num_frames:
        raise BadInput(
            f"frame {at} was named, but the clip has {num_frames}: use 0 to {num_frames - 1}.",
            setting="at_frame",
        )
