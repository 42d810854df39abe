"""Disks that are full, gone or read-only can fail anywhere; that is no defect of the program."""

import errno

_FAULTS = {
    getattr(errno, name, None)
    for name in (
        *("EACCES", "EDQUOT", "EFBIG", "EIO", "ENAMETOOLONG", "ENODEV", "ENOENT", "ENOSPC", "ENOTCONN"),
        *("ENOTDIR", "ENXIO", "EPERM", "EROFS", "ESTALE"),
    )
} - {None}


def disk_fault(error: BaseException) -> str | None:
    """The sentence for a disk that failed; None for every other error."""
    if not isinstance(error, OSError) or error.errno not in _FAULTS:
        return None
    where = f"{error.filename}" if error.filename else "a file"
    return (
        f"{where} could not be read or written ({error.strerror}): see that its disk is there, has room and may be "
        "written to, and give the same command once more."
    )
