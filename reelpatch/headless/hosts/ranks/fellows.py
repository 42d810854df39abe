"""The processes that work together under torchrun: the first tells the others what to compute with it, until it has ended.

What is to come is said in torchrun's own store, where waiting costs nothing; the work itself goes through the process group,
which begins with the first of it.
"""

from __future__ import annotations

import io
import signal
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist

from reelpatch.errors import BadInput
from reelpatch.headless.hosts.ranks.torchrun import Ranks, find_ranks

_LONG = timedelta(days=30)  # between two windows there may be hours; torchrun ends all where one ends
_END, _TOLD = "end", "told"
CPU_BACKEND = "cpu:gloo"
"""By this name: diffusers looks for "cpu" in it, and else asks for an accelerator, which a build for CUDA has without a card."""

# As gloo and NCCL say it; there is no class of errors for it.
_LOST = ("connection closed", "connection reset", "gloo", "nccl", "broken pipe")


class Fellows:
    """This process's way to the others."""

    def __init__(self, ranks: Ranks) -> None:
        if not dist.is_available():
            raise BadInput(
                "several processes are to share a clip, but this PyTorch was built without torch.distributed: install another "
                "build of it, or start one process."
            )
        self.ranks = ranks
        self._num_told = 0
        store, _, _ = next(dist.rendezvous("env://", timeout=_LONG))
        self._store = dist.PrefixStore("reelpatch", store)

    def tell(self, message: Any, device: torch.device) -> None:
        """Gives a message to all others, who compute on devices of that type."""
        self._announce(device.type)
        self._join(device.type)
        packed = io.BytesIO()
        torch.save(message, packed)
        dist.broadcast_object_list([packed.getvalue()], src=0)

    def next_message(self) -> Any:
        """What the first process tells next, its tensors in RAM; None when it has ended."""
        self._num_told += 1
        key = f"message {self._num_told}"
        self._store.wait([key], _LONG)
        told = self._store.get(key).decode()
        if told == _END:
            return None
        self._join(told)
        box: list[Any] = [None]
        dist.broadcast_object_list(box, src=0)
        return torch.load(io.BytesIO(box[0]), map_location="cpu", weights_only=False)

    def end(self) -> None:
        """Tells the others that there is nothing more to do."""
        self._announce(_END)
        if dist.is_initialized():
            dist.destroy_process_group()

    def may_say(self, sentence: str) -> bool:
        """Whether this process is the first that has to say why all end."""
        return self._store.compare_set(_TOLD, "", sentence).decode() == sentence

    def _announce(self, what: str) -> None:
        self._num_told += 1
        self._store.set(f"message {self._num_told}", what)

    def _join(self, device_type: str) -> None:
        if dist.is_initialized():
            return
        if device_type == "cuda":
            torch.cuda.set_device(self.ranks.local)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device_type == "cuda" else CPU_BACKEND,
            store=dist.PrefixStore("group", self._store),
            rank=self.ranks.rank,
            world_size=self.ranks.count,
            timeout=_LONG,
        )
        # diffusers 0.42 calls them by names that PyTorch 2.13 is about to give up.
        warnings.filterwarnings("ignore", message=r".*_functional_collectives", category=FutureWarning)


@cache
def fellows() -> Fellows:
    """Those of this process, which was started with others."""
    ranks = find_ranks()
    assert ranks is not None
    return Fellows(ranks)


@contextmanager
def leading() -> Generator[None]:
    """Within it this process leads; then the others end too."""
    # torchrun ends all where one has ended: what was begun is put in order, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        fellows().end()


@contextmanager
def together(message: Any, device: torch.device) -> Generator[None]:
    """Within it the others do what the message says; called by the first process.

    Raises: `BadInput` where one of them ends meanwhile.
    """
    fellows().tell(message, device)
    try:
        yield
    except RuntimeError as error:
        said = str(error).lower()
        if not any(words in said for words in _LOST):
            raise
        raise BadInput(
            "one of the processes that share this clip has ended, so that all do: torchrun says below which; look there for what "
            "ended it (memory, most often)."
        ) from error
