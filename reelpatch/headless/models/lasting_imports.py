"""Imports whose objects the garbage collector leaves alone: they stay until the process ends."""

import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Generator[None]:
    """Collects no garbage inside, and never goes through what the imports inside have made.

    PyTorch, diffusers and transformers make 430,000 objects, none of which is garbage. To go through them, time and again while they are
    made and once more as the process ends, takes two seconds (`python -m benchmarks.before_after`). For processes that are ours alone,
    as all other objects that are there at the end are left alone too.
    """
    known, is_enabled = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if is_enabled:
            gc.enable()
