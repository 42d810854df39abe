"""What tells one file from another: what is in it, and for weights, which are too large for that, samples of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.media.checksums import digest_of, sampled_digest
from reelpatch.weights.unchanged_files import remembered

_REMEMBERED = 256  # files
_digest_of = remembered(_REMEMBERED)(digest_of)
_sampled_digest = remembered(_REMEMBERED)(sampled_digest)


def stamps(paths: Iterable[Path]) -> list[Any]:
    """Of several files."""
    return [stamp(path) for path in paths]


def stamp(path: Path | None) -> Any:
    """Where a file is, how large, and the digest of all its bytes, or all files of a folder; None for none.

    Raises: `BadInput` for what cannot be read.
    """
    if path is None:
        return None
    try:
        if path.is_dir():
            return [str(path.resolve()), stamps(sorted(one for one in path.iterdir() if one.is_file()))]
        return [str(path.resolve()), path.stat().st_size, _digest_of(path)]
    except OSError as error:
        raise BadInput(
            f"{error.filename or path} cannot be read ({error.strerror}): check that it is there and may be read."
        ) from error


def weight_stamp(path: Path) -> Any:
    """Where a file of weights is, how large, how old, and the digest of samples of it: see `sampled_digest`."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns, _sampled_digest(path)]


def is_unchanged(stamped: Any) -> bool:
    """Whether the file or folder of a `stamp` is as it was then."""
    return stamped is None or stamp(Path(stamped[0])) == stamped
