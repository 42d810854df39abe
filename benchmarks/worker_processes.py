"""The processes of local workers, found from outside."""

from __future__ import annotations

from contextlib import suppress

import psutil


def workers_of(process: int) -> list[psutil.Process]:
    """Those that make jobs for a command, by its process: copies of one process that makes none itself, and those that have ended left out."""
    made: list[psutil.Process] = []
    for one in psutil.Process(process).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended in between
            if one.ppid() != process:
                made.append(one)
    return made
