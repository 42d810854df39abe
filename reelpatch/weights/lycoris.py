"""LoHa and LoKr: a change of one layer's matrix as a product of two matrices, each of them whole or of low rank.

Source: LyCORIS 3 (`modules/loha.py`, `modules/lokr.py`), by the same rules as ComfyUI's `weight_adapter`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.weights.lycoris_parts import NAMES, Method


@dataclass(frozen=True)
class FactoredChange:
    """What a LoHa or LoKr adds to the matrix of one layer: `W + strength * product()`.

    `first` and `second` hold one matrix, or the two factors of one.
    """

    method: Method
    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    scale: float

    def product(self) -> Tensor:
        """The change in full, [out, in] in float32. Cost: as many bytes as the weight has in float32."""
        first, second = _whole(self.first), _whole(self.second)
        return self.scale * (first * second if self.method == "LoHa" else torch.kron(first, second))

    def parts(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors under the names that LyCORIS gives them."""
        for name, group in zip(NAMES[self.method], (self.first, self.second), strict=True):
            yield from zip([name] if len(group) == 1 else [f"{name}_a", f"{name}_b"], group, strict=True)


def _whole(group: tuple[Tensor, ...]) -> Tensor:
    return group[0].float() if len(group) == 1 else group[0].float() @ group[1].float()
