"""Where workers put results: beside their own files, or at an address that fsspec knows (s3://, gs://, file://, memory://)."""

import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from reelpatch.errors import BadInput
from reelpatch.headless.runs.batch.job import Job
from reelpatch.media.checksums import digest_of

_WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"}
"""Stores where an object appears when all of it is there, and where renaming means copying."""
_SHOWN = 200


class RemoteResults:
    """Results below an address, named as their outputs are within `folder`; each appears whole or not at all.

    Raises: `BadInput` for an address that fsspec does not know, or whose package is not installed.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self._folder = address.rstrip("/"), folder
        _file_system(address)

    def name_of(self, job: Job) -> str:
        """The address of a job's result. Raises: `BadInput` for an output outside the folder."""
        target: Path = job.request.target.absolute()
        if not target.is_relative_to(self._folder):
            raise BadInput(
                f"its output {target} lies outside {self._folder}, so that it has no name below {self.address}: name one within."
            )
        return f"{self.address}/{target.relative_to(self._folder).as_posix()}"

    @contextmanager
    def placed(self, job: Job) -> Generator[Job]:
        """The job with its output in a folder of this machine, which is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="reelpatch_") as scratch:
            output = Path(scratch) / job.request.target.name
            yield replace(job, request=replace(job.request, output=output))

    def keep(self, job: Job, written: list[Any]) -> list[Any]:
        """Sends what was written there, and stamps it: address, bytes, checksum. `written` are stamps of files.

        Raises: `BadInput` where the store does not take it.
        """
        if len(written) != 1 or not Path(written[0][0]).is_file():
            raise BadInput(
                f"it has several files or a folder as its result, which are not sent to {self.address}: name one .mp4 or .mkv."
            )
        address = self.name_of(job)
        source = Path(written[0][0])
        store(source, address)
        return [[address, source.stat().st_size, digest_of(source)]]


def store(source: Path, address: str) -> None:
    """Copies a file to an address; it is there whole or not at all. Raises: `BadInput` where the store does not take it."""
    system, path = _file_system(address)
    part = f"{path}.{uuid.uuid4().hex}.part"
    try:
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        if _WHOLE_AT_ONCE.intersection(_protocols(system)):
            system.put_file(str(source), path)
            return
        system.put_file(str(source), part)
        system.mv(part, path)
    except Exception as error:  # each store has errors of its own
        with suppress(Exception):
            system.rm_file(part)
        said = " ".join(str(error).split())[:_SHOWN] or type(error).__name__
        raise BadInput(f"{address} cannot be written ({said}): see its rights and its room.") from error


def is_stored(stamped: Any) -> bool:
    """Whether what a stamp of `keep` says is there, with as many bytes."""
    try:
        system, path = _file_system(str(stamped[0]))
        return int(system.info(path)["size"]) == stamped[1]
    except Exception:  # unreachable, gone or no stamp: it is made again
        return False


def _protocols(system: fsspec.AbstractFileSystem) -> set[str]:
    named = system.protocol
    return {named} if isinstance(named, str) else set(named)


def _file_system(address: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        return url_to_fs(address)
    except (ImportError, ValueError, OSError) as error:
        raise BadInput(
            f"results cannot go to {address[:_SHOWN]} ({' '.join(str(error).split())[:_SHOWN].rstrip('.')}): write it as s3://bucket/folder, "
            "with fsspec's package for it installed.",
            setting="results",
        ) from error
