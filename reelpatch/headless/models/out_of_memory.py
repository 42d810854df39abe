"""What is said where a device has no memory left."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from reelpatch.errors import BadInput

# As CUDA and MPS say it, and as PyTorch's CPU allocator does.
_OUT_OF_MEMORY = ("out of memory", "DefaultCPUAllocator")


class OutOfMemory(BadInput):
    """The memory of a device was not enough."""


@contextmanager
def explain_out_of_memory(device: torch.device) -> Generator[None]:
    """Turns an allocation that failed inside into an `OutOfMemory` that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        raise OutOfMemory(
            f"the memory of {device} is not enough for this edit: lower --size or --frames, "
            "or use weights of a smaller dtype (fp8 files, --dtype bf16)."
        ) from error
