"""The report of a batch in a folder: `report.json` for programs, `report.html` for people; each is whole at any time."""

import json
import logging
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import reelpatch
from reelpatch.errors import BadInput
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.page import page
from reelpatch.headless.runs.batch.thumbnails import Thumbnails
from reelpatch.media.saving import not_written, saved_at

_ALWAYS = 100
"""Up to so many jobs the whole report is written after each of them."""
_SHARE = 50
"""Of more jobs it is written so seldom that it takes at most one part in so many of the time."""
_PAGE_SHARE = 500
"""As `_SHARE`, of the page, which holds all thumbnails and is for people."""
_MOST_BYTES = 2**29
_log = logging.getLogger(__name__)


class Report:
    """What has become of the jobs of a file. Raises: `BadInput` from all that writes, for a folder that takes nothing."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self._source = folder, source
        self.path = folder / "report.json"
        self.page_path = folder / "report.html"
        self._since = folder / "report_since.jsonl"
        self.thumbnails = Thumbnails(folder / "thumbnails")
        self._whole, self._page = _Seldom(_SHARE), _Seldom(_PAGE_SHARE)

    def before(self) -> dict[str, Mapping[str, Any]]:
        """The entries of finished jobs in an earlier report, by their outputs; says so where it cannot be read."""
        try:
            if self.path.stat().st_size > _MOST_BYTES:
                raise ValueError("it is too large")
            found: Any = json.loads(self.path.read_text(encoding="utf-8"))
            entries = [cast(Mapping[str, Any], one) for one in found["jobs"]]
            entries += self._entries_since()
            return {str(one["output"]): one for one in entries if one["outputs"]}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            _log.warning("%s cannot be read as a report: every job is made again.", self.path)
            return {}

    def _entries_since(self) -> list[Mapping[str, Any]]:
        """Of jobs that ended after the report was last written whole; a line that was cut off is none."""
        try:
            with self._since.open("rb") as file:
                lines = file.read(_MOST_BYTES).split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [cast(Mapping[str, Any], json.loads(line)) for line in lines]

    def make_folder(self) -> None:
        """Makes the folder that it goes to. Raises: `BadInput` where files of its names there are somebody else's."""
        if other := self._of_others():
            raise BadInput(
                f"{other} is no report of a batch, and would be replaced by one: name another folder.",
                setting="report",
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(error, self.folder, "report") from error

    def _of_others(self) -> Path | None:
        """A file in the place of the report or its page that no batch has written; one that is damaged may be ours."""
        if not self.path.exists():
            return self.page_path if self.page_path.exists() else None
        try:
            if self.path.stat().st_size > _MOST_BYTES:
                return None
            found: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return None if isinstance(found, dict) and "jobs_file" in found else self.path

    def write(self, jobs: Sequence[Job], *, ended: Job | None = None, is_last: bool = False) -> None:
        """Writes how the jobs stand now; where only one has ended since and they are many, a line of that one mostly."""
        if ended is not None and ended.is_done:
            self.thumbnails.add(ended)
        if ended is None or is_last or len(jobs) <= _ALWAYS or self._whole.is_due:
            with self._whole.doing():
                self._write_whole(jobs)
        else:
            self._add(ended)
        if ended is None or is_last or self._page.is_due:
            with self._page.doing():
                self._write_page(jobs)

    def _add(self, job: Job) -> None:
        try:
            with self._since.open("a", encoding="utf-8") as file:
                file.write(json.dumps(job.as_dict(), allow_nan=False) + "\n")
        except OSError as error:
            raise not_written(error, self._since, "report") from error

    def _write_whole(self, jobs: Sequence[Job]) -> None:
        content = {
            "reelpatch": reelpatch.__version__,
            "jobs_file": str(self._source),
            "counts": counts(jobs),
        }
        # A line for each job: it is written after each of them, and Python's encoder that indents takes ten times as long.
        lines = ",\n  ".join(json.dumps(job.as_dict(), allow_nan=False) for job in jobs)
        head = json.dumps(content, indent=1, allow_nan=False).removesuffix("\n}")
        with saved_at(self.path, "report") as part:
            part.write_text(f'{head},\n "jobs": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
        self._since.unlink(missing_ok=True)

    def _write_page(self, jobs: Sequence[Job]) -> None:
        with saved_at(self.page_path, "report") as part, part.open("w", encoding="utf-8") as file:
            file.writelines(page(self._source, jobs, self.thumbnails))


class _Seldom:
    """Says when something is to be done again, so that it takes at most one part in `share` of the time."""

    def __init__(self, share: int) -> None:
        self._share, self._next_s = share, 0.0

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._next_s

    @contextmanager
    def doing(self) -> Generator[None]:
        """Times what is done inside."""
        began = time.monotonic()
        yield
        self._next_s = began + self._share * (time.monotonic() - began)


def counts(jobs: Sequence[Job]) -> dict[str, int]:
    """How many jobs there are of each state, and in all."""
    found = Counter(job.state for job in jobs)
    return {"jobs": len(jobs), **{str(state): found[state] for state in State}}


def stopped(jobs: Sequence[Job], where: Path, said: str = "") -> KeyboardInterrupt:
    """What a run says that was stopped; `where` tells of the jobs."""
    return KeyboardInterrupt(
        f"stopped; {sum(job.is_done for job in jobs)} of {len(jobs)} jobs are done ({where}), and the same command goes "
        f"on. {said}".rstrip()
    )
