"""The channels beside the latents by which an image-to-video backbone sees the picture."""

from collections.abc import Callable

import torch
from torch import Tensor

from reelpatch.families.lattice import Lattice


def build_condition(
    picture: Tensor, frames: int, encode: Callable[[Tensor], Tensor], lattice: Lattice
) -> Tensor:
    """The picture as the first of `frames` frames, gray behind it, and in front of that the mask of what is given.

    Shapes: picture [H, W, 3] in [0, 1], of legal size; result [4 + 16, T, H / 8, W / 8], its mask 1 for the first latent frame.
    `encode` takes [3, F, H, W] in [-1, 1] to normalised latents.
    Source: ChronoEdit's pipeline in diffusers, `prepare_latents`.
    """
    first = picture.permute(2, 0, 1)[:, None] * 2 - 1
    gray = first.new_zeros(3, frames - 1, *first.shape[-2:])
    latents = encode(torch.cat([first, gray], dim=1))
    # One channel for each frame that a latent frame stands for; the first latent frame stands for one frame, four times.
    mask = latents.new_zeros(lattice.frames_per_latent, *latents.shape[1:])
    mask[:, 0] = 1
    return torch.cat([mask, latents])
