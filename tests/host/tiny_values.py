"""Numbers that stand for what models read, the same in every process."""

import torch
from torch import Tensor

_TEXT_ROWS, _WORD_ROWS, _TEXT_DIM = 16, 6, 4096  # as many rows as the texts inside ComfyUI have


def draw(seed: int, *shape: int) -> Tensor:
    """Normal noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def text(seed: int) -> Tensor:
    """A text of a few words, [1, rows, dim]; what follows them is 0."""
    rows = torch.zeros(1, _TEXT_ROWS, _TEXT_DIM)
    rows[:, :_WORD_ROWS] = draw(seed, 1, _WORD_ROWS, _TEXT_DIM)
    return rows
