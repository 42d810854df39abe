"""From latents to the edited picture, and to the film of the way there where that was kept."""

from collections.abc import Callable

import torch
from torch import Tensor

from reelpatch.edits.reasoning.drop import first_and_last
from reelpatch.edits.reasoning.settings import PAIR


def decode_film(latents: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
    """The frames of a picture's short film, the last of them the edit.

    The edit is decoded right behind the picture, as the model was trained, never behind the frames between them: a causal
    decoder would let those bleed into it.

    Shapes: latents [16, T, h, w], T of at least 2; result [3, 4 T - 3, H, W] as `decode` gives it.
    """
    if latents.shape[1] == PAIR:
        return decode(latents)
    pair = decode(first_and_last(latents))
    way = decode(latents[:, :-1])
    return torch.cat([way, pair[:, 1:]], dim=1)
