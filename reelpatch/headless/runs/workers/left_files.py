"""Files that a killed process left half written beside the results of its job."""

import shutil
from contextlib import suppress
from glob import escape
from pathlib import Path

from reelpatch.headless.runs.batch.job import Job

_WRITTEN = ("target", "grounding_film", "reasoning_film")
_SURE_CHARACTERS = 40  # of a name; long ones are shortened further on


def remove_left_by(process: int, job: Job) -> None:
    """Takes away what the process of that number began to write for a job; see `media/saving.py` for its names."""
    for name in _WRITTEN:
        path = getattr(job.request, name, None)
        if not isinstance(path, Path):
            continue
        begins = escape(f".{path.stem[:_SURE_CHARACTERS]}")
        with suppress(OSError):
            for part in path.absolute().parent.glob(f"{begins}*.{process}.part*"):
                shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
