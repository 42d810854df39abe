"""The size that a picture is worked on at, and the way back to its own."""

from dataclasses import dataclass
from math import sqrt

import torch.nn.functional as F
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice

Size = tuple[int, int]
AREA: Size = (720, 1280)
"""The (height, width) whose pixels a picture is worked on with, unless said otherwise."""
_LONGEST_TOKENS = 1024  # a side, as long as the tables of rotary positions are


@dataclass(frozen=True)
class PictureFit:
    """A picture's own size and the one it is worked on at, (height, width) in pixels; nothing is cut off."""

    source: Size
    size: Size

    def describe(self, *, enlarges: bool = False) -> str:
        """One sentence for the person whose picture it is."""
        own, worked = _named(self.source), _named(self.size)
        if self.source == self.size:
            return f"The picture is worked on as it is, at {worked}."
        if enlarges:
            return f"The picture ({own}) is brought to {worked}, all of it, and given back so."
        return f"The picture ({own}) is worked on at {worked}, all of it, and given back at its own size."

    def fit(self, picture: Tensor) -> Tensor:
        """[H, W, C] in [0, 1] at its own size -> at the working size."""
        return _resized(picture, self.source, self.size)

    def restore(self, pictures: Tensor) -> Tensor:
        """[..., h, w, C] in [0, 1] at the working size -> at the picture's own."""
        return _resized(pictures, self.size, self.source)


def fit_picture(source: Size, lattice: Lattice, area: Size = AREA) -> PictureFit:
    """The fit of a picture to the pixels of `area`: its own shape, sides cut down to what the model takes.

    Raises: `BadInput` for a picture so long that the model has no positions for its side.
    Source: ChronoEdit, `scripts/run_inference_diffusers.py`.
    """
    step, pixels = lattice.size_multiple, area[0] * area[1]
    aspect = source[0] / source[1]
    # A side that had to be kept from vanishing takes from the other.
    most = max(step, pixels // step // step * step)
    tall, wide = (
        min(most, max(step, round(sqrt(pixels * ratio)) // step * step)) for ratio in (aspect, 1 / aspect)
    )
    if max(tall, wide) > _LONGEST_TOKENS * step:
        raise BadInput(
            f"the picture is {_named(source)}, so long that it would be worked on at {_named((tall, wide))}, and the model "
            f"has no positions beyond {_LONGEST_TOKENS * step} pixels: cut it into parts, or name a smaller size.",
            setting="size",
        )
    return PictureFit(source, (tall, wide))


def _resized(pictures: Tensor, before: Size, after: Size) -> Tensor:
    if tuple(pictures.shape[-3:-1]) != before:
        raise ValueError(f"the fit is for pictures of {_named(before)}, not {tuple(pictures.shape)}")
    if before == after:
        return pictures
    batch = pictures.reshape(-1, *pictures.shape[-3:]).permute(0, 3, 1, 2)
    # As Pillow does by default, and as the published script does with it; bicubic can overshoot the range.
    resized = F.interpolate(batch, size=after, mode="bicubic", antialias=True, align_corners=False)
    return resized.permute(0, 2, 3, 1).clamp(0, 1).reshape(*pictures.shape[:-3], *after, pictures.shape[-1])


def _named(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
