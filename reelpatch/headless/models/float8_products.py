"""Linear layers multiplied in fp8, where the machine has units for it: twice the speed of bf16 on paper, and less exact."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reelpatch.errors import BadInput
from reelpatch.headless.models.stored_layers import StoredLinear

WEIGHTS = torch.float8_e4m3fn
LARGEST = 448.0  # that the format holds
SMALLEST_SCALE = 1e-12
# cuBLAS takes matrices whose sides are multiples of this.
STEP = 16


def multiply_in_float8(models: Sequence[nn.Module]) -> int:
    """Lets the layers that hold e4m3 weights multiply in fp8; returns how many there are.

    Raises: `BadInput` where there is none.
    """
    stored = [one for model in models for one in model.modules() if isinstance(one, StoredLinear)]
    layers = [layer for layer in stored if _is_fit(layer)]
    if not layers:
        raise BadInput(
            "no layer of these files holds fp8 (e4m3) weights, so there is nothing to multiply in fp8: use the fp8 file of "
            "the backbone, or leave --fp8-matmul out."
        )
    for layer in layers:
        layer.product = float8_linear
    return len(layers)


def float8_linear(x: Tensor, weight: Tensor, factor: Tensor | None, bias: Tensor | None) -> Tensor:
    """x W^T + b with x rounded to fp8 by one scale for all of it, or for a piece of its tokens where they come in pieces, found on the device: no step waits for the host.

    Shapes: x [..., K], weight [N, K] in e4m3, factor [1 or N, 1] or None; result [..., N] in the dtype of x.
    """
    rows = x.reshape(-1, x.shape[-1])
    scale = (rows.abs().amax().float() / LARGEST).clamp(min=SMALLEST_SCALE)
    narrow = (rows / scale.to(rows.dtype)).clamp(-LARGEST, LARGEST).to(WEIGHTS)
    one = torch.ones((), dtype=torch.float32, device=x.device)
    # Not public in all versions of torch that are supported.
    product = torch._scaled_mm(narrow, weight.t(), scale_a=scale, scale_b=one, out_dtype=x.dtype)  # pyright: ignore[reportPrivateUsage]
    if factor is not None:
        product = product * factor.flatten().to(product.dtype)
    if bias is not None:
        product = product + bias
    return product.unflatten(0, x.shape[:-1])


def _is_fit(layer: StoredLinear) -> bool:
    sides_fit = not layer.in_features % STEP and not layer.out_features % STEP
    return sides_fit and layer.weight.dtype == WEIGHTS
