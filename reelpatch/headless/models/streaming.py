"""Weights that wait in RAM, or in their file, and are sent to the card as they are needed, by diffusers' group offloading.

Within a block, its attentions and its feed-forward layer are sent layer by layer, each while the one before it is
computed. So any choice of blocks can stay on the card, and a block that is skipped, or outside an edit's window, sends
nothing. ADR 7 has the reasons.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from diffusers.hooks import apply_group_offloading
from torch import nn

# In diffusers' blocks of Wan and of HunyuanVideo-1.5, in the edit module's, in UMT5's and in Qwen's.
_PARTS = frozenset(
    {
        *("attn1", "attn2", "self_attn", "cross_attn", "ffn", "SelfAttention", "DenseReluDense"),
        *("attn", "ff", "ff_context", "norm1", "norm1_context", "mlp"),
    }
)
_AHEAD = 2  # blocks: one is computed while the next is on its way


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
    pinned as it is needed: mapped files stay mapped.
    """
    parts = [
        part
        for block in blocks
        for name, part in block.named_modules()
        if name.split(".")[-1] in _PARTS and any(True for _ in part.parameters())
    ]
    _move_rest(model, [*parts, *stays], device)
    has_streams = device.type != "cpu"
    for part in parts:
        apply_group_offloading(
            part,
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=has_streams,
            record_stream=has_streams,
            low_cpu_mem_usage=True,
        )
    if has_streams:
        pace = _Pace(torch.get_device_module(device))
        for block in blocks:
            block.register_forward_pre_hook(pace.wait)
            block.register_forward_hook(pace.note)


def _move_rest(model: nn.Module, parts: Iterable[nn.Module], device: torch.device) -> None:
    waiting = {id(tensor) for part in parts for tensor in (*part.parameters(), *part.buffers())}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in waiting:
                parameter.data = parameter.data.to(device)
        for name, buffer in list(module.named_buffers(recurse=False)):
            if id(buffer) not in waiting:
                setattr(module, name, buffer.to(device))


class _Pace:
    """Keeps the host at most two blocks ahead of the card, so that no more weights are on it at once."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._computed: deque[Any] = deque()

    def wait(self, *_: Any) -> None:
        while len(self._computed) >= _AHEAD:
            self._computed.popleft().synchronize()

    def note(self, *_: Any) -> None:
        event = self._backend.Event()
        event.record()
        self._computed.append(event)
