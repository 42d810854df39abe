"""What was read of a file is remembered as long as the file is as it was."""

import time
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

_SETTLED_NS = 2 * 10**9
"""A file that was written to so lately may be written to again and look no older: file systems round times, FAT to 2 s."""
_Looks = tuple[int, ...]


def remembered(most: int) -> Callable[[Callable[[Path], Found]], Callable[[Path], Found]]:
    """Has a function that reads a file give what it read before, of the last `most` files, while they look the same.

    A file looks the same by its number, size, and times of content and of status. What has just been written is read each time, and
    so is all of which no status can be had, so that the function says itself what is wrong.
    """

    def of(read: Callable[[Path], Found]) -> Callable[[Path], Found]:
        @lru_cache(maxsize=most)
        def once(path: Path, _looks: _Looks) -> Found:
            return read(path)

        @wraps(read)
        def reading(path: Path) -> Found:
            looks = _looks_of(path)
            return read(path) if looks is None else once(path, looks)

        return reading

    return of


def _looks_of(path: Path) -> _Looks | None:
    """None for what may not be remembered."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
