"""One run owns an output: another one that names it too is told whose it is, and leaves it alone.

The lock is the operating system's, so that it ends with its process, however that ends. Its file stands beside the output
and says who holds it. Other machines see that file, but not always the lock (network and shared folders): they watch
whether the owner still touches it.
"""

import errno
import functools
import hashlib
import json
import logging
import os
import platform
import shlex
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from reelpatch.errors import BadInput
from reelpatch.media.saving import not_written

BEAT_S = 3.0  # how often an owner touches its file
WATCH_S = 12.0  # for how long another machine looks for that
_LONGEST_NAME, _LONGEST_COMMAND = 200, 120  # of the output's name in bytes, of what is told of a command
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
_TAKEN = {errno.EACCES, errno.EAGAIN}
_LOCKED_BYTE = 2**30  # Windows keeps others from reading what is locked, so that is nothing that is read
_log = logging.getLogger(__name__)

Rest = ParamSpec("Rest")
Result = TypeVar("Result")


class HasTarget(Protocol):
    """A request that knows where its result goes."""

    @property
    def target(self) -> Path: ...


Request = TypeVar("Request", bound=HasTarget)


def owns_output(
    run: Callable[Concatenate[Request, Rest], Result],
) -> Callable[Concatenate[Request, Rest], Result]:
    """Has a function own the output of the request that it gets first, as long as it runs. Raises: as `owned_output`."""

    @functools.wraps(run)
    def owning(request: Request, /, *args: Rest.args, **options: Rest.kwargs) -> Result:
        with owned_output(request.target):
            return run(request, *args, **options)

    return owning


@contextmanager
def owned_output(target: Path) -> Generator[None]:
    """Owns an output, a file or folder that need not be there.

    Raises: `BadInput` where another run owns it, and for a folder that is missing or closed.
    """
    path = lock_path(target)
    try:
        descriptor = _taken(path, target)
    except OSError as error:
        raise not_written(error, target, "output") from error
    ended = threading.Event()
    try:
        try:
            _write_owner(descriptor)
        except OSError as error:
            raise not_written(error, target, "output") from error
        threading.Thread(target=_beat, args=(path, ended), daemon=True).start()
        yield
    finally:
        ended.set()
        _let_go(descriptor, path)


def lock_path(target: Path) -> Path:
    """The file that says who owns an output."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return target.absolute().with_name(f".{name}.lock")


def _taken(path: Path, target: Path) -> int:
    """The descriptor of the lock's file, with the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            is_sure = _lock(descriptor)
            if is_sure is None:
                raise BadInput(_told(target, _owner(path)), setting="output")
            if not _is_at(descriptor, path):  # its owner has ended, and took it away
                os.close(descriptor)
                continue
            owner = _owner(path)
            if owner is not None:
                is_sure = is_sure and owner.get("host") == platform.node()
                if not is_sure and _is_touched(path):
                    raise BadInput(_told(target, owner), setting="output")
                _log.info("%s was left by %s, which has ended.", path, _described(owner))
        except BaseException:
            with suppress(OSError):
                os.close(descriptor)
            raise
        return descriptor


def _lock(descriptor: int) -> bool | None:
    """Whether that is locked now; None where somebody else has locked it, False where nothing can be locked."""
    try:
        _system_lock(descriptor)
    except OSError as error:
        if error.errno in _TAKEN:
            return None
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


if sys.platform == "win32":
    import msvcrt

    def _system_lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _system_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write_owner(descriptor: int) -> None:
    owner = {
        "host": platform.node(),
        "pid": os.getpid(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(owner).encode())


def _owner(path: Path) -> dict[str, Any] | None:
    """What a lock's file says; None where it says nothing, as it does in its first moment."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


def _described(owner: dict[str, Any] | None) -> str:
    if owner is None:
        return "another run"
    command = str(owner.get("command"))
    short = command if len(command) <= _LONGEST_COMMAND else f"{command[:_LONGEST_COMMAND]}..."
    return (
        f"another run (process {owner.get('pid')} on {owner.get('host')} since {owner.get('started')}: "
        f"{' '.join(short.split())})"
    )


def _told(target: Path, owner: dict[str, Any] | None) -> str:
    return f"the output {target} is being made by {_described(owner)}: wait for it, stop it, or name another output."


def _beat(path: Path, ended: threading.Event) -> None:
    while not ended.wait(BEAT_S):
        with suppress(OSError):
            os.utime(path)


def _is_touched(path: Path) -> bool:
    """Whether the owner on another machine is there, as far as can be seen."""
    _log.info(
        "%s was left by another machine: looking for %g s whether its run is still there.", path, WATCH_S
    )
    first = path.stat().st_mtime_ns
    ends = time.monotonic() + WATCH_S
    while time.monotonic() < ends:
        time.sleep(min(BEAT_S, WATCH_S) / 4)
        if path.stat().st_mtime_ns != first:
            return True
    return False


def _let_go(descriptor: int, path: Path) -> None:
    """Takes the file away while the lock is held, where the system allows it, so that nobody else's goes."""
    with suppress(OSError):
        if _is_at(descriptor, path):
            path.unlink()
    os.close(descriptor)
    if sys.platform == "win32":
        with suppress(OSError):
            path.unlink()
