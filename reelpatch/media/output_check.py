"""Whether a result may go where it is to go: every output of every command is checked here, before any work."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.media.beside import MAX_NAME_BYTES, windows_folder
from reelpatch.media.stills import IMAGE_SUFFIXES

Inputs = Iterable[tuple[str, Path | None]]
"""Everything a run reads: what it is called ("mask") and where it is, if it was given."""


def refuse_inputs(path: Path, inputs: Inputs, setting: str = "output") -> None:
    """Makes sure that what is written at `path` takes nothing away that is read, under whatever name both are known.

    Raises: `BadInput` naming the input that would be lost.
    """
    for what, source in inputs:
        if source is None:
            continue
        if _is_same(path, source):
            raise BadInput(
                f"the output {path} is the {what} itself, which is never overwritten: name another.",
                setting=setting,
            )
        if _is_within(source, windows_folder(path)):
            raise BadInput(
                f"the {what} {source} lies where the finished windows of the output {path} are kept, which are taken away "
                "in the end: move it, or name another output.",
                setting=setting,
            )
        if source.is_dir() and path.suffix.lower() in IMAGE_SUFFIXES and _is_same(path.parent, source):
            raise BadInput(
                f"the output {path} lies among the images of the {what} {source}, which stay as they are: name another.",
                setting=setting,
            )


def check_name(path: Path, setting: str = "output") -> None:
    """Raises: `BadInput` for a name that no file or folder can have here."""
    if "\0" in str(path) or path.name in {"", ".."}:
        raise BadInput(f"the output {str(path)!r} names no file: give a name.", setting=setting)
    num_bytes = len(os.fsencode(path.name))
    if num_bytes > MAX_NAME_BYTES:
        raise BadInput(
            f"the name of the output {path} is {num_bytes} bytes long, but {MAX_NAME_BYTES} are the most: name a shorter "
            "one.",
            setting=setting,
        )
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise BadInput(
            f"the output {path} cannot be ({error.strerror}): name another.", setting=setting
        ) from error


def check_replaceable(path: Path, setting: str = "output") -> None:
    """Makes sure that a file which stands at `path` may be replaced.

    Raises: `BadInput` for what is no file, is write-protected, or belongs to somebody else in a shared folder.
    """
    if not path.exists():
        return
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"the output {path} is a device or a pipe, not a file: name another.", setting=setting)
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise BadInput(
            f"the output {path} exists and is write-protected: allow writing, or name another.",
            setting=setting,
        )
    folder = path.absolute().parent.stat()
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    if folder.st_mode & stat.S_ISVTX and user not in {0, path.lstat().st_uid, folder.st_uid}:
        raise BadInput(
            f"the output {path} belongs to somebody else, who alone may replace it: name another.",
            setting=setting,
        )


def _is_same(one: Path, other: Path) -> bool:
    """Through links, hard links and other spellings of a name."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there
        return False


def _is_within(path: Path, folder: Path) -> bool:
    return folder.is_dir() and path.resolve().is_relative_to(folder.resolve())
