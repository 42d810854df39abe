"""Finished pictures that could not be written where they belong: kept at another place, so that the same command goes on."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from reelpatch.errors import BadInput
from reelpatch.media.beside import beside
from reelpatch.media.video_io import Frames
from reelpatch.windows.window_store import FinishedWindow, WindowStore

_DIGEST_CHARACTERS = 12
_log = logging.getLogger(__name__)


class KeptWork:
    """The pictures of one run, or of a window of it; `run` is as in `WindowStore`.

    They are looked for and kept beside the result, else in the user's cache folder, else among temporary files.
    """

    def __init__(self, target: Path, run: Mapping[str, Any]) -> None:
        self._run = {"output": str(target.absolute()), **run}
        digest = hashlib.sha256(json.dumps(self._run, sort_keys=True).encode()).hexdigest()[
            :_DIGEST_CHARACTERS
        ]
        name = beside(target, target.name, f".{digest}.windows").name.removesuffix(".windows")
        folders = (target.absolute().parent, *_spare_folders())
        self._stores = [WindowStore(folder / name, self._run) for folder in folders]

    def found(self) -> FinishedWindow | None:
        """What an earlier run kept; None where there is nothing, or nothing that can be read."""
        for store in self._stores:
            try:
                if not store.folder.is_dir():
                    continue
                store.open()
                if store.is_finished(0):
                    pictures = np.stack(list(store.pictures(0)))
                    carried = store.carried(0) if any(store.folder.glob("*.safetensors")) else {}
                    _log.info("Going on with the finished pictures that are kept in %s.", store.folder)
                    return FinishedWindow(pictures, carried)
            except (OSError, ValueError) as error:
                _log.warning(
                    "What is kept in %s cannot be read (%s), and is made again.", store.folder, error
                )
        return None

    def keep(self, window: FinishedWindow) -> Path | None:
        """Keeps pictures, and what the next window needs; returns the folder, or None where no place takes them."""
        for store in self._stores:
            try:
                if store is not self._stores[0]:
                    store.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                store.open()
            except (OSError, ValueError):
                continue
            try:
                store.add(0, window)
            except (OSError, ValueError, av.FFmpegError):
                _removed(store)
            else:
                return store.folder
        return None

    def remove(self) -> None:
        """Takes away what was kept."""
        for store in self._stores:
            _removed(store)


@contextmanager
def kept_if_writing_fails(kept: KeptWork, pictures: Frames) -> Generator[None]:
    """Whatever ends the writing inside, the pictures are kept, and the sentence says where; else what was kept is removed."""
    try:
        yield
    except BaseException as error:
        folder = kept.keep(FinishedWindow(pictures, {}))
        if folder is None:
            _log.warning("The finished pictures could not be kept anywhere, and are lost.")
            raise
        said = f"the finished pictures are kept in {folder}: the same command goes on from there."
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"stopped; {said}") from None
        if isinstance(error, BadInput):
            raise BadInput(f"{error} T{said[1:]}") from error
        _log.info("T%s", said[1:])
        raise
    kept.remove()


def _spare_folders() -> list[Path]:
    user = os.getuid() if hasattr(os, "getuid") else ""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [caches / "reelpatch" / "kept", Path(tempfile.gettempdir()) / f"reelpatch_{user}"]


def _removed(store: WindowStore) -> None:
    try:
        store.remove()
    except (OSError, ValueError):
        _log.warning("%s could not be taken away.", store.folder)
