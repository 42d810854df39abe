"""Weights are read from the disk while something else is done, so that they are in the system's cache when they are loaded."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path

import psutil

_PART_BYTES = 32 * 2**20  # asked for at a time
_PART_OF_MEMORY = (
    2  # no more than half of what is available is read ahead, or it would push out what was read before
)


class ReadAhead:
    """Has the system read files into its cache, once, in this order, in a thread that ends with the process.

    Where the system offers no such thing, files are read when they are loaded, as ever.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = tuple(dict.fromkeys(files))
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begins, where it has not yet; returns at once."""
        if self._thread is None and hasattr(os, "posix_fadvise"):
            self._thread = threading.Thread(target=self._read, name="reading ahead", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until all of it was asked for."""
        if self._thread is not None:
            self._thread.join()

    def _read(self) -> None:
        left = psutil.virtual_memory().available // _PART_OF_MEMORY
        for path in self._files:
            try:
                left -= _read_into_cache(path, left)
            except OSError:
                return  # whoever loads the file says what is wrong with it


def _read_into_cache(path: Path, most_bytes: int) -> int:
    """Asks for a file, up to so many bytes; returns how many were asked for."""
    file = os.open(path, os.O_RDONLY)
    try:
        size = min(os.fstat(file).st_size, most_bytes)
        for begin in range(0, size, _PART_BYTES):
            os.posix_fadvise(file, begin, min(_PART_BYTES, size - begin), os.POSIX_FADV_WILLNEED)
        return max(size, 0)
    finally:
        os.close(file)
