"""Embedded texts on disk, so that the same instruction does not wait for a text encoder of 11 GB again."""

import hashlib
import json
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from reelpatch.media.durable import replace_durably

_log = logging.getLogger(__name__)
_MAX_FILES = 64  # of up to 4 MB each
_HEAD_BYTES = 2**20  # of an encoder's file, which tell it from others of the same size and age
_NAME = "rows"
_DIGEST_BYTES = 32
_SUFFIX, _PART = ".rows", ".part"
_FORMAT = 2  # to be raised whenever the same text and file would give other rows


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/reelpatch/texts`, else the same in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reelpatch" / "texts"


@dataclass(frozen=True)
class TextCache:
    """Rows [1, n, width] by text, encoder file and dtype; the files used longest ago go first.

    Each file is the SHA-256 of its name and content, then the content, as safetensors. Several processes may use one
    folder: a file appears whole, and one that another has taken away, or that is damaged, is as if it were not there.
    """

    folder: Path = field(default_factory=cache_folder)

    def find(self, text: str, encoder: Path, dtype: torch.dtype) -> Tensor | None:
        """What was kept; None where there is nothing, or nothing whole."""
        path = self._path(text, encoder, dtype)
        try:
            stored = path.read_bytes()  # in one go, since the file may be gone before a second look
        except OSError:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if digest != _digest(path, content):
            return None
        with suppress(OSError):
            os.utime(path)
        try:
            return load(content)[_NAME]
        except (SafetensorError, KeyError):
            return None

    def keep(self, text: str, encoder: Path, dtype: torch.dtype, rows: Tensor) -> None:
        """Keeps rows; zero rows at their end are left out. A folder that cannot be written to is no error."""
        num_rows = int(rows.abs().amax(dim=(0, 2)).nonzero().max()) + 1 if rows.any() else 1
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(rows[:, :num_rows].contiguous(), self._path(text, encoder, dtype))
            self._forget_oldest()
        except OSError as error:
            _log.info("The embedded instruction was not kept (%s).", error)

    def _write(self, rows: Tensor, path: Path) -> None:
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=_PART)
        part = Path(name)
        try:
            content = save({_NAME: rows})
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(path, content) + content)
            replace_durably(part, path)
        finally:
            part.unlink(missing_ok=True)

    def _forget_oldest(self) -> None:
        # Another process may take files away at the same time.
        ages: list[tuple[int, Path]] = []
        for path in self.folder.iterdir():
            if path.suffix == _PART:
                continue
            with suppress(OSError):
                ages.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(ages)[:-_MAX_FILES]:
            with suppress(OSError):
                path.unlink()

    def _path(self, text: str, encoder: Path, dtype: torch.dtype) -> Path:
        status = encoder.stat()
        with encoder.open("rb") as file:
            head = hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
        identity = [_FORMAT, text, status.st_size, status.st_mtime_ns, head, str(dtype)]
        name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        return self.folder / f"{name}{_SUFFIX}"


def _digest(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + content).digest()
