"""The results of a run that makes several pictures: beside their folder until all are there, so that it can be stopped and go on."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reelpatch.media.beside import beside
from reelpatch.media.durable import replace_durably
from reelpatch.media.saving import not_written, saved_at

_NOTES = "made.json"


class PictureFolder:
    """Files that go to the folder `target`, where nothing is yet; all of this raises `BadInput` for a place that takes nothing."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = beside(target, f".{target.name}", ".pictures")
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise not_written(error, target, "output") from error
        self._notes = self._left_notes()
        self._named: set[str] = set()

    @property
    def num_made(self) -> int:
        """How many files this run has made or found."""
        return len(self._named)

    def found(self, name: str, made_of: Mapping[str, Any]) -> Path | None:
        """A file that an earlier run made of the same; None where there is none."""
        path = self.path / name
        if self._notes.get(name) != _digest(made_of) or not path.is_file():
            return None
        self._named.add(name)
        return path

    def add(self, name: str, made_of: Mapping[str, Any], write: Callable[[Path], None]) -> Path:
        """A file that is there whole or not at all, and counts as made when that is noted."""
        path = self.path / name
        with saved_at(path) as part:
            write(part)
        self._notes[name] = _digest(made_of)
        with saved_at(self.path / _NOTES) as part:
            part.write_text(json.dumps(self._notes), encoding="utf-8")
        self._named.add(name)
        return path

    def finish(self) -> None:
        """Moves the folder to its name, with the files of this run alone."""
        try:
            for path in self.path.iterdir():
                if path.name not in self._named:
                    path.unlink()
            if self.target.is_dir():
                self.target.rmdir()  # refused by the system where files have come in meanwhile
            replace_durably(self.path, self.target)
        except OSError as error:
            raise not_written(error, self.target, "output") from error

    def give_up(self) -> None:
        """Takes the folder away if nothing was made."""
        if not self._notes and not any(self.path.iterdir()):
            self.path.rmdir()

    def _left_notes(self) -> dict[str, str]:
        try:
            found: Any = json.loads((self.path / _NOTES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _digest(made_of: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
