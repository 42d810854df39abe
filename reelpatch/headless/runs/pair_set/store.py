"""The folder of a data set of pairs: a folder for each pair that is finished, and none for one that is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from reelpatch.errors import BadInput
from reelpatch.media.saving import saved_at, saved_folder

SOURCE, TARGET, MASK, RECORD = "source.mp4", "target.mp4", "mask.mp4", "record.json"
RUN = "run.json"


@dataclass(frozen=True)
class PairStore:
    """A data set in `folder`, made by one `run`: the models, the size and all else that its pictures depend on."""

    folder: Path
    run: Mapping[str, Any]

    def open(self) -> None:
        """Makes the folder, or goes on with it; what a run that was killed left half made is taken away.

        Raises: `BadInput` for a folder of something else, or of another run.
        """
        try:
            self.folder.mkdir(exist_ok=True)
            found = {path.name for path in self.folder.iterdir()}
        except OSError as error:
            raise BadInput(
                f"the folder {self.folder} cannot be made ({error.strerror}): check where it is to be.",
                setting="out",
            ) from error
        if RUN in found:
            self._check_run()
        elif any(not name.startswith(".") for name in found):
            raise BadInput(
                f"{self.folder} holds files, but no data set of pairs: choose a new folder.", setting="out"
            )
        else:
            self._write(self.folder / RUN, self.run)
        for half in self.folder.glob(".*.part"):
            shutil.rmtree(half) if half.is_dir() else half.unlink()

    def place(self, number: int) -> Path:
        """The folder of a pair, counted from 0."""
        return self.folder / f"{number:06d}"

    def record(self, number: int) -> dict[str, Any] | None:
        """What was written of a pair that is finished; None where it is not."""
        try:
            return json.loads((self.place(number) / RECORD).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self.place(number) / RECORD} cannot be read: take {self.place(number)} away, and it is made again."
            ) from error

    def add(self, number: int, files: Callable[[Path], None], record: Mapping[str, Any]) -> None:
        """A pair, whole or not at all; `files` writes what belongs to it into the folder that it is given."""
        place = self.place(number)
        if place.exists():
            shutil.rmtree(place)
        with saved_folder(place, "out") as part:
            files(part)
            (part / RECORD).write_text(_json(record), encoding="utf-8")

    def change_record(self, number: int, record: Mapping[str, Any]) -> None:
        """Another record for a pair that is finished."""
        self._write(self.place(number) / RECORD, record)

    def write_text(self, name: str, text: str) -> None:
        """A file beside the pairs, whole or not at all."""
        with saved_at(self.folder / name, "out") as part:
            part.write_text(text, encoding="utf-8", newline="")

    def _check_run(self) -> None:
        path = self.folder / RUN
        try:
            found = cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read: choose a new folder.", setting="out") from error
        now = json.loads(_json(self.run))
        differing = sorted(name for name in {*found, *now} if found.get(name) != now.get(name))
        if differing:
            raise BadInput(
                f"{self.folder} holds pairs of another run (its {', '.join(differing)} differed): choose a new folder, or the "
                "settings of then.",
                setting="out",
            )

    def _write(self, path: Path, value: Mapping[str, Any]) -> None:
        with saved_at(path, "out") as part:
            part.write_text(_json(value), encoding="utf-8")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"
