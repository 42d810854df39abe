"""Weights that wait in RAM, or in their file, and are sent to the card as they are needed, by diffusers' groups.

A block is sent in parts: its attentions, its feed-forward layer, and an edit module's projections, with the LoRAs on them.
A part is sent when the host comes to it, while the card still computes the one before. So any choice of blocks can stay on
the card, and a block that is skipped, or outside an edit's window, sends nothing. ADR 7 has the reasons.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from diffusers.hooks.group_offloading import ModuleGroup
from torch import nn

# In diffusers' blocks of Wan and of HunyuanVideo-1.5, in the edit module's, in UMT5's and in Qwen's.
_PARTS = frozenset(
    {
        *("attn1", "attn2", "self_attn", "cross_attn", "ffn"),
        *("attn", "ff", "ff_context", "norm1", "norm1_context"),
        *("before_proj", "after_proj"),
        *("SelfAttention", "DenseReluDense", "mlp"),
    }
)
_SENDS = "reelpatch_sending"


def stream_blocks(
    model: nn.Module,
    blocks: Sequence[nn.Module],
    device: torch.device,
    *,
    stays: Iterable[nn.Module] = (),
) -> None:
    """Leaves the weights of these blocks of `model` where they are, to be sent to `device` each time they run.

    All else is moved to the device, except `stays`, parts of the model that run where they are. LoRAs have to be on the
    model by now. On a device with streams, such as CUDA, weights are sent on one of their own, through memory that is
    pinned as it is needed: mapped files stay mapped. Two parts are on the card at most, one that computes and the next.
    """
    parts = [
        part
        for block in blocks
        for name, part in block.named_modules()
        if name.split(".")[-1] in _PARTS and any(True for _ in part.parameters())
    ]
    _move_rest(model, [*parts, *stays], device)
    way = _way_to(device)
    for part in parts:
        sending = _Sending(part, way)
        setattr(part, _SENDS, sending)
        part.register_forward_pre_hook(lambda *_, sending=sending: sending.send())
        part.register_forward_hook(lambda *_, sending=sending: sending.leave(), always_call=True)


@contextmanager
def at_hand(part: nn.Module) -> Generator[None]:
    """Within it a part that is streamed stays on the card, however often it or its layers are called."""
    sending: _Sending | None = getattr(part, _SENDS, None)
    if sending is None:
        yield
        return
    try:
        sending.send()
        yield
    finally:
        sending.leave()


class _Sending:
    """A part's way to the card and back, as often as it is asked for while it is there: once."""

    def __init__(self, part: nn.Module, way: _Way) -> None:
        self._way = way
        self._asked = 0
        self._group = ModuleGroup(
            modules=[part],
            offload_device=torch.device("cpu"),
            onload_device=way.device,
            offload_leader=part,
            onload_leader=part,
            stream=way.stream,
            record_stream=way.stream is not None,
            low_cpu_mem_usage=True,
        )
        self._group.offload_()

    def send(self) -> None:
        self._asked += 1
        if self._asked > 1:
            return
        self._way.before()
        self._group.onload_()
        self._way.between()

    def leave(self) -> None:
        self._asked -= 1
        if not self._asked:
            self._group.offload_()
            self._way.after()


class _Way:
    """The stream on which parts of all models go to a device, which keeps the host at most one part ahead of it.

    So no more weights than those of two parts are there. Where a device has no streams, everything waits for itself.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._backend: Any = None if device.type == "cpu" else torch.get_device_module(device)
        self.stream: Any = None if self._backend is None else self._backend.Stream(device)
        self._computed: deque[Any] = deque()

    def before(self) -> None:
        """Before a part is sent, all but the last have been computed."""
        while len(self._computed) > 1:
            self._computed.popleft().synchronize()

    def between(self) -> None:
        """The card computes a part when it has come; the host goes on."""
        if self._backend is not None:
            self._backend.current_stream(self.device).wait_stream(self.stream)

    def after(self) -> None:
        """After a part was given to the card to compute."""
        if self._backend is not None:
            event = self._backend.Event()
            event.record(self._backend.current_stream(self.device))
            self._computed.append(event)


@cache
def _way_to(device: torch.device) -> _Way:
    return _Way(device)


def _move_rest(model: nn.Module, parts: Iterable[nn.Module], device: torch.device) -> None:
    waiting = {id(tensor) for part in parts for tensor in (*part.parameters(), *part.buffers())}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in waiting:
                parameter.data = parameter.data.to(device)
        for name, buffer in list(module.named_buffers(recurse=False)):
            if id(buffer) not in waiting:
                setattr(module, name, buffer.to(device))
