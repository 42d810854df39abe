"""What was written is on the disk before it gets its name, so that no crash or power cut leaves half a file under it."""

import os
import sys
from pathlib import Path


def replace_durably(part: Path, path: Path) -> None:
    """Moves a finished file or folder of files to its name, its content first. Raises: `OSError`."""
    if part.is_dir():
        for file in part.iterdir():
            _sync(file)
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    if path.is_dir():
        if sys.platform == "win32":  # which writes names down by itself, and opens no folder
            return
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
