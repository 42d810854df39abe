"""Small pictures of what went into a job and what came out, kept beside its report."""

import hashlib
import logging
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.headless.runs.batch.job import Job
from reelpatch.media.contact_sheet import THUMB_PX, thumbnail
from reelpatch.media.glimpse import middle_frame
from reelpatch.media.pictures import read_picture
from reelpatch.media.saving import saved_at
from reelpatch.media.stills import images_in, is_still

_DIGEST_CHARACTERS = 24
_QUALITY = 85
_REMEMBERED = 64  # many jobs have one source; a picture is some KB
_log = logging.getLogger(__name__)


class Thumbnails:
    """A frame from the middle of the source and of the result of each job, as JPEG files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, job: Job) -> None:
        """Makes those of a job that is done; what cannot be looked at has none."""
        for side, path in (("source", job.source), ("result", job.target)):
            try:
                if path is None or not path.exists():  # it may lie on another machine
                    continue
                self._folder.mkdir(exist_ok=True)
                picture = _middle(path, path.stat().st_mtime_ns)
                with saved_at(self._path(job, side), "report") as part:
                    part.write_bytes(picture)
            except (BadInput, OSError, ValueError) as error:
                _log.warning("%s has no picture in the report: %s", path, error)

    def of(self, job: Job, side: str) -> bytes | None:
        """The JPEG of the "source" or "result" of a job; None where there is none."""
        try:
            return self._path(job, side).read_bytes()
        except OSError:
            return None

    def _path(self, job: Job, side: str) -> Path:
        name = hashlib.sha256(str(job.target).encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / f"{name[:_DIGEST_CHARACTERS]}_{side}.jpg"


@lru_cache(maxsize=_REMEMBERED)
def _middle(path: Path, _age: int) -> bytes:
    if path.is_dir() or is_still(path):
        pictures = images_in(path) if path.is_dir() else [path]
        if not pictures:
            raise BadInput(f"the folder {path} holds no picture.")
        held = BytesIO()
        small: Image.Image = thumbnail(read_picture(pictures[len(pictures) // 2]).pixels)
        small.save(held, "JPEG", quality=_QUALITY)
        return held.getvalue()
    return middle_frame(path, THUMB_PX)
