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
from safetensors.torch import load_file, save_file
from torch import Tensor

_log = logging.getLogger(__name__)
_MAX_FILES = 64  # of up to 4 MB each
_HEAD_BYTES = 2**20  # of an encoder's file, which tell it from others of the same size and age
_NAME = "rows"
_FORMAT = 1  # to be raised whenever the same text and file would give other rows


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/reelpatch/texts`, else the same in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reelpatch" / "texts"


@dataclass(frozen=True)
class TextCache:
    """Rows [1, n, width] by text, encoder file and dtype; the files used longest ago go first."""

    folder: Path = field(default_factory=cache_folder)

    def find(self, text: str, encoder: Path, dtype: torch.dtype) -> Tensor | None:
        """What was kept; None where there is nothing, or nothing that can be read."""
        path = self._path(text, encoder, dtype)
        try:
            rows = load_file(path)[_NAME]
            os.utime(path)
        except (OSError, SafetensorError, KeyError):
            return None
        return rows

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
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        os.close(handle)
        try:
            save_file({_NAME: rows}, name)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

    def _forget_oldest(self) -> None:
        # Another process may take files away at the same time.
        ages: list[tuple[int, Path]] = []
        for path in self.folder.glob("*.safetensors"):
            with suppress(OSError):
                ages.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(ages)[:-_MAX_FILES]:
            path.unlink(missing_ok=True)

    def _path(self, text: str, encoder: Path, dtype: torch.dtype) -> Path:
        status = encoder.stat()
        with encoder.open("rb") as file:
            head = hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
        identity = [_FORMAT, text, status.st_size, status.st_mtime_ns, head, str(dtype)]
        name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        return self.folder / f"{name}.safetensors"
