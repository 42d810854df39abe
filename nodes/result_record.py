"""What a result was made with, as JSON beside it; by its mark the same graph finds what it left."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import reelpatch
from reelpatch.media.beside import windows_folder
from reelpatch.media.output_lock import lock_path
from reelpatch.media.saving import saved_at

MARK = "mark"


@dataclass(frozen=True)
class Record:
    """Where a result goes, and what is said of it in the file beside it."""

    target: Path
    about: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """`RESULT.json` beside `RESULT.mp4`."""
        return self.target.with_suffix(".json")

    def finish(self) -> None:
        """Says when the result was finished."""
        _write(self.path, {**self.about, "finished": _now()})

    def of_a_copy(self) -> dict[str, Any]:
        """What is said of a copy: all but the mark, by which the graph finds its own."""
        return {name: value for name, value in self.about.items() if name != MARK}

    def give_up(self) -> None:
        """Takes the record of a run away that left nothing: no result, and no window to go on from."""
        if not _is_in_use(self.target):
            self.path.unlink(missing_ok=True)


def claimed(folder: Path, name: str, mark: str, about: Mapping[str, Any]) -> Record:
    """The record of the run with this `mark`: one that was left before, else a new one under the first free name.

    Names are `name.mp4`, `name_2.mp4` and so on; what another run made, or is making, keeps its own.

    Raises: `BadInput` where the record cannot be written.
    """
    for path in sorted(folder.glob(f"{_escaped(name)}*.json")):
        if _read(path).get(MARK) == mark:
            return Record(path.with_suffix(".mp4"), _read(path))
    target = next(target for target in _names(folder, name) if not _is_taken(target))
    record = Record(target, {"reelpatch": reelpatch.__version__, MARK: mark, "begun": _now(), **about})
    _write(record.path, record.about)
    return record


def is_free_for_record(path: Path) -> bool:
    """Whether there is nothing yet, or a record of an older result."""
    return not path.exists() or "reelpatch" in _read(path)


def _names(folder: Path, name: str) -> Iterator[Path]:
    return (folder / f"{name}{f'_{number}' if number > 1 else ''}.mp4" for number in count(1))


def _is_taken(target: Path) -> bool:
    """Somebody's result or run, or a file of somebody's that is no record."""
    record = target.with_suffix(".json")
    return _is_in_use(target) or (record.exists() and MARK not in _read(record))


def _is_in_use(target: Path) -> bool:
    kept = target.parent.glob(f"{_escaped(target.name)}.*windows")
    return any(path.exists() for path in (target, windows_folder(target), lock_path(target), *kept))


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _read(path: Path) -> dict[str, Any]:
    """Nothing of a file that is no record."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, about: Mapping[str, Any]) -> None:
    with saved_at(path) as part:
        part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
