"""The loss of a step and its gradients as one launch: a CUDA graph, recorded once for every kind of step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_TRIES = 3  # before it is recorded: libraries choose their ways at first, which cannot be recorded

Parts = list[dict[str, Tensor]]


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    parts: Parts
    loss: Tensor


class Captured:
    """`loss_of` for a module on a GPU; every call leaves the gradients of its own parts, whatever was there before.

    A recorded step works on the same memory every time, gradients too: they must not be replaced.
    """

    def __init__(self, module: nn.Module, loss_of: Callable[[str, Parts], Tensor]) -> None:
        self._loss_of = loss_of
        self._gradients: list[Tensor] = []
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
                self._gradients.append(parameter.grad)
        self._recorded: dict[str, _Recorded] = {}
        self._pool = torch.cuda.graph_pool_handle()  # one after the other, they share memory

    def __call__(self, kind: str, parts: Parts) -> Tensor:
        if kind not in self._recorded:
            self._recorded[kind] = self._record(kind, parts)
        recorded = self._recorded[kind]
        for into, part in zip(recorded.parts, parts, strict=True):
            for name, tensor in part.items():
                into[name].copy_(tensor)
        recorded.graph.replay()
        return recorded.loss

    def _record(self, kind: str, parts: Parts) -> _Recorded:
        own = [{name: tensor.clone() for name, tensor in part.items()} for part in parts]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_TRIES):
                self._compute(kind, own)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=aside):
            loss = self._compute(kind, own)
        return _Recorded(graph, own, loss)

    def _compute(self, kind: str, parts: Parts) -> Tensor:
        torch._foreach_zero_(self._gradients)
        loss = self._loss_of(kind, parts)
        loss.backward()
        return loss.detach()
