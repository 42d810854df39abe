"""Lets a transformer that looks at the numbers of its masks run on fake tensors, which hold none."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_ATEN = torch.ops.aten


class AllValid(TorchDispatchMode):
    """Masks are 1 everywhere, so that nothing is left of what their opposite picks, and no single number that is asked for is 0 or true."""

    def __init__(self) -> None:
        super().__init__()
        self._opposites: list[Tensor] = []

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is _ATEN._local_scalar_dense.default:
            return False
        if func is _ATEN.index.Tensor and (mask := args[1][0]).dtype == torch.bool:
            picked: Tensor = args[0]
            return picked.new_empty(0, *picked.shape[1:]) if self._is_opposite(mask) else picked.clone()
        result = func(*args, **(kwargs or {}))
        if func is _ATEN.bitwise_not.default:
            self._opposites.append(result)
        return result

    def _is_opposite(self, mask: Tensor) -> bool:
        return any(mask is one for one in self._opposites)
