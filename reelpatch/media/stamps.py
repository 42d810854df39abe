"""What tells one file from another without reading it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def stamps(paths: Iterable[Path]) -> list[Any]:
    """Of several files."""
    return [stamp(path) for path in paths]


def stamp(path: Path | None) -> Any:
    """Where a file is, how large and how old, or all files of a folder; None for none."""
    if path is None:
        return None
    if path.is_dir():
        return [str(path.resolve()), stamps(sorted(path.iterdir()))]
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]
