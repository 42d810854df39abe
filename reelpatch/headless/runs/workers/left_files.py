"""Files that a killed process left half written beside the results of its job."""

import shutil
from contextlib import suppress
from glob import escape
from pathlib import Path

from reelpatch.headless.runs.batch.job import Job

_WRITTEN = ("target", "grounding_film", "reasoning_film")


def remove_left_by(process: int, job: Job) -> None:
    """Takes away what the process of that number began to write for a job; see `media/saving.py` for its names."""
    folders = {
        path.absolute().parent
        for name in _WRITTEN
        if isinstance(path := getattr(job.request, name, None), Path)
    }
    for folder in folders:
        with suppress(OSError):
            for part in folder.glob(f".*{escape(f'.{process}.part')}*"):
                shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
