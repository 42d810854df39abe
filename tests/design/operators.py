"""What a computation asks of the machine, operator by operator; for tensors that hold no numbers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_MATMULS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::_scaled", "aten::convolution")
# They set memory aside and touch none of it.
_ALLOCATIONS = frozenset({"aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty"})
# Each of them makes the host wait for the device.
_WAITING = frozenset(
    {
        "aten::_local_scalar_dense",
        "aten::is_nonzero",
        "aten::item",
        "aten::nonzero",
        "aten::masked_select",
        "aten::equal",
        "aten::unique_dim",
        "aten::_unique2",
    }
)


class Operators(TorchDispatchMode):
    """Counts operators that compute, and the bytes that those among them read and write that are no matmul.

    Views and empty tensors cost nothing and are left out; so is attention, whose kernel is the host's choice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.matmuls = 0
        self.others = 0
        self.elementwise_bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        name = func._schema.name
        if (
            name in _ALLOCATIONS
            or _is_view(func, args, result)
            or "scaled_dot_product" in name
            or not tensors(result)
        ):
            return result
        if name.startswith(_MATMULS):
            self.matmuls += 1
        else:
            self.others += 1
            self.elementwise_bytes += sum(_bytes(tensor) for tensor in tensors((args, given, result)))
        return result


class WhereTheHostWaits(TorchDispatchMode):
    """Notes the dtype of what the host asks of a tensor; if that were on a device, the host would wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[torch.dtype] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func._schema.name in _WAITING:
            self.found.append(tensors(args)[0].dtype)
        return func(*args, **(kwargs or {}))


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def counted(run: Callable[[], object]) -> Operators:
    with torch.no_grad(), Operators() as operators:
        run()
    return operators


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _is_view(func: Any, args: tuple[Any, ...], result: Any) -> bool:
    if func.is_view or func._schema.name in ("aten::detach", "aten::_unsafe_view", "aten::lift_fresh"):
        return True
    # A reshape that copies nothing hands the storage on.
    given = {id(tensor.untyped_storage()) for tensor in tensors(args)}
    return func._schema.name == "aten::_reshape_alias" or (
        not func._schema.is_mutable
        and bool(tensors(result))
        and all(id(tensor.untyped_storage()) in given for tensor in tensors(result))
    )
