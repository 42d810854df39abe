"""Latents of windows that were made before their turn, kept beside the result until it comes.

Windows of an enhancement need nothing of each other up to their latents: only from there on one goes over into the next. So others
may make latents of later windows, while the first is worked on. They are a help and no part of the result: what is not there, or not
whole, is made when its turn comes.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from reelpatch.media.beside import beside
from reelpatch.media.saving import not_written, saved_at

_NAME = "latents"
_DIGEST_BYTES = 32
_OURS = re.compile(r"\.?[0-9a-f]{32}_\d{5,}\.safetensors(\.\d+\.part)?")


@dataclass(frozen=True)
class LatentsAhead:
    """Of the windows of one run; `run` is everything that decides what they hold, in plain types.

    Several processes may use them at once: a file appears whole, after the SHA-256 of its name and content.
    """

    target: Path
    run: Mapping[str, Any]

    def keep(self, number: int, latents: Tensor) -> None:
        """Keeps those of a window. Raises: `BadInput` where they cannot be written."""
        path = self._path(number)
        content = save({_NAME: latents.contiguous()})
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise not_written(error, path.parent, "output") from error
        with saved_at(path) as part:
            part.write_bytes(_digest(path, content) + content)

    def found(self, number: int) -> Tensor | None:
        """Those of a window; None where nobody has made them, or they were damaged."""
        path = self._path(number)
        try:
            stored = path.read_bytes()
        except OSError:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if digest != _digest(path, content):
            return None
        with suppress(SafetensorError, KeyError):
            return load(content)[_NAME]
        return None

    def _path(self, number: int) -> Path:
        run = hashlib.sha256(json.dumps(self.run, sort_keys=True).encode()).hexdigest()
        return ahead_folder(self.target) / f"{run[:_DIGEST_BYTES]}_{number:05d}.safetensors"


def ahead_folder(target: Path) -> Path:
    """Where they are, beside a result."""
    return beside(target, target.name, ".ahead")


def remove_ahead(target: Path) -> None:
    """Takes away all that was made ahead for a result, of any run, and nothing else."""
    folder = ahead_folder(target)
    with suppress(OSError):
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)
        folder.rmdir()


def _digest(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + content).digest()
