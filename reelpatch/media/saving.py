"""Files appear whole or not at all, and a place that cannot be written to is named before the work."""

import errno
import logging
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.media.beside import beside
from reelpatch.media.durable import replace_durably
from reelpatch.media.output_check import Inputs, check_name, check_replaceable, refuse_inputs

_PROBE_BYTES = 2**12  # which a full disk does not take
_log = logging.getLogger(__name__)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def saved_at(path: Path, setting: str = "output") -> Generator[Path]:
    """A path beside the one asked for, moved there if all goes well and removed if not.

    Raises: `BadInput` naming the setting, for a folder that is missing, closed or full.
    """
    part = beside(path, f".{path.name}", f".{os.getpid()}.part")
    try:
        yield part
        if part.exists():
            replace_durably(part, path)
    except OSError as error:
        raise not_written(error, path, setting) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def saved_folder(path: Path, setting: str = "output") -> Generator[Path]:
    """A new folder beside the one asked for, moved there if all goes well and removed if not.

    Raises: `BadInput` naming the setting, for a place that is missing, closed, full or taken.
    """
    part = beside(path, f".{path.name}", f".{os.getpid()}.part")
    try:
        part.mkdir()
        yield part
        if part.exists():
            if path.is_dir():
                path.rmdir()  # refused by the system where files have come in meanwhile
            replace_durably(part, path)
    except OSError as error:
        raise not_written(error, path, setting) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_folder(path: Path, inputs: Inputs = (), setting: str = "output") -> None:
    """Makes sure, before any work, that a folder can be made there; an empty one may stand there already.

    Raises: `BadInput` for a place that is missing or closed, a file or files there, or one of the inputs.
    """
    check_name(path, setting)
    refuse_inputs(path, inputs, setting)
    if path.is_symlink():
        raise BadInput(f"the output {path} is a link: name the folder that it leads to.", setting=setting)
    if path.exists() and not path.is_dir():
        raise BadInput(
            f"the output {path} is a file, not a folder for frames: name another, or end it in .mp4 or .mkv.",
            setting=setting,
        )
    if path.is_dir() and any(path.iterdir()):
        raise BadInput(f"the folder {path} has files in it: name a new or an empty one.", setting=setting)
    with saved_folder(path, setting) as part:
        part.rmdir()


def check_place(path: Path, suffix: str, inputs: Inputs = (), setting: str = "output") -> None:
    """Makes sure, before any work, that a file can be written there.

    Raises: `BadInput` for another suffix, a missing, closed or full folder, a folder in its place, a file that may not be
        replaced, or one of the inputs.
    """
    check_name(path, setting)
    if path.suffix.lower() != suffix:
        raise BadInput(
            f"the output {path} does not end in {suffix}, which is what is written: rename it.",
            setting=setting,
        )
    if path.is_dir():
        raise BadInput(f"the output {path} is a folder: name a file in it.", setting=setting)
    refuse_inputs(path, inputs, setting)
    check_replaceable(path, setting)
    with saved_at(path, setting) as part:
        part.write_bytes(bytes(_PROBE_BYTES))
        part.unlink()
    if path.exists():
        _log.warning("%s exists, and is replaced when the result is complete.", path)


def not_written(error: OSError, path: Path, setting: str) -> BadInput:
    """Why something cannot be written at `path`, and what to do."""
    if error.errno in _FULL:
        said = f"there is no room left to write {path}: free some, or choose another place."
    elif not path.parent.is_dir():
        said = f"the folder {path.parent} of the output does not exist: make it, or choose another."
    else:
        said = f"{path} cannot be written ({error.strerror}): choose a place you may write to."
    return BadInput(said, setting=setting)
