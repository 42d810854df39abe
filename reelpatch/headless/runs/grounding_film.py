"""The film of what an edit will change, as VideoCoF makes it in front of the clip: that of the first window."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.errors import BadInput
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import check_output, write_video
from reelpatch.recipes import Recipe

_SETTING = "grounding_film"
_log = logging.getLogger(__name__)


@dataclass
class GroundingFilm:
    """Where the film goes, at `fps` frames a second; it is written as soon as the first window is made."""

    path: Path
    fps: Fraction
    is_written: bool = False
    problem: str = ""

    @classmethod
    def of(cls, request: EditRequest, settings: Recipe) -> GroundingFilm | None:
        """None where none is asked for.

        Raises: `BadInput` for a recipe that makes none, and for a place that cannot be written or is the result's.
        """
        path = request.grounding_film
        if path is None:
            return None
        settings.check_grounds()
        check_output(path, request.inputs, _SETTING)
        if path.absolute() == request.target.absolute():
            raise BadInput(
                f"the film of what will be changed and the result would both be written to {path}: name two files.",
                setting=(_SETTING, "output"),
            )
        return cls(path, Fraction(settings.fps))

    def write(self, frames: Tensor) -> None:
        """Writes frames [f, h, w, 3] in [0, 1], whole or not at all; the edit goes on where that fails."""
        try:
            write_video(Video(to_bytes(frames), self.fps), self.path)
        except BadInput as error:
            self.problem = str(error)
            return
        self.is_written = True
        _log.info("%s shows what will be changed (frames: %d).", self.path, len(frames))

    def written(self) -> Path | None:
        """Where the film is, after the run; says why where this run made none."""
        if self.is_written:
            return self.path
        why = self.problem or (
            "the first window was finished by an earlier run, or its mask leaves it as it is."
        )
        _log.warning("No film of what will be changed was written to %s: %s", self.path, why)
        return None
