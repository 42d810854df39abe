"""Layers that hold weights as their file does, of whatever dtype, and widen each for the length of one call.

The weights of a file on disk then stay the file's own pages: nothing is read before it is used, nothing copied.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from reelpatch.weights.float8 import FLOAT8, widened

Product = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]


class StoredLinear(nn.Linear):
    """A linear layer whose weight takes the input's dtype, and its factor if it has one, as it is used.

    Every fp8 value is exact in fp16, bf16 and fp32, so the result is that of the widened weight. (diffusers'
    layerwise casting sends the whole layer back to fp8 after each call, which would round its bias.)
    """

    factor: Tensor | None
    wide: Tensor | None = None  # the weight as it is used, while `widened_once` keeps it
    product: Product | None = None  # of input, weight, factor and bias, in the place of widening

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self.register_buffer("factor", None, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        if self.wide is not None and self.wide.dtype is input.dtype:
            return functional.linear(input, self.wide, self.bias)
        weight = (
            self.weight
        )  # read once: a LoRA's difference is added as it is read, and makes it a wider one
        if self.product is not None and weight.dtype in FLOAT8:
            return self.product(input, weight, self.factor, self.bias)
        return functional.linear(input, widened(weight, self.factor, input.dtype), self.bias)


class StoredEmbedding(nn.Embedding):
    """An embedding that widens the rows it looks up to `dtype`."""

    dtype = torch.float32

    def forward(self, input: Tensor) -> Tensor:
        # Rows as bytes: PyTorch 2.6 has no indexing of fp8 on a CPU.
        rows = self.weight.view(torch.uint8)[input].view(self.weight.dtype)
        return rows.to(self.dtype)


class StoredOperations:
    """torch's layers for an edit module, its linear ones able to hold any dtype."""

    Linear = StoredLinear
    Conv3d = nn.Conv3d
    LayerNorm = nn.LayerNorm
    RMSNorm = nn.RMSNorm


@contextmanager
def widened_once(layers: nn.Module, dtype: torch.dtype) -> Generator[None]:
    """Within it, weights among these layers that are not held in `dtype` are widened to it once, not at each call."""
    # Parametrized weights are put together once too.
    with parametrize.cached():
        found = [one for one in layers.modules() if isinstance(one, StoredLinear)]
        for layer in found:
            weight = layer.weight
            if weight.dtype is not dtype and (layer.product is None or weight.dtype not in FLOAT8):
                layer.wide = widened(weight, layer.factor, dtype)
        try:
            yield
        finally:
            for layer in found:
                layer.wide = None


def hold_as_stored(model: nn.Module, layer: str, dtype: torch.dtype) -> None:
    """Puts an empty layer that widens at use in the place of a linear or an embedding layer of the same size.

    `dtype` is what an embedding's rows become; a linear layer follows its input.
    """
    old = model.get_submodule(layer)
    if isinstance(old, nn.Linear):
        has_bias = "bias" in old.state_dict()
        new = StoredLinear(old.in_features, old.out_features, bias=has_bias, device="meta")
    elif isinstance(old, nn.Embedding):
        new = StoredEmbedding(old.num_embeddings, old.embedding_dim, device="meta")
        new.dtype = dtype
    else:
        raise TypeError(f"{layer} is a {type(old).__name__}, which can't hold weights as stored")
    model.set_submodule(layer, new)
