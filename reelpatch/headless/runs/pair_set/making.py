"""One pair of a data set: both clips are made and measured, and stand in a folder of their own, whole or not at all."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.headless.hosts.pair_maker import PairMaker
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.runs.pair_set.lines import PairLine
from reelpatch.headless.runs.pair_set.store import MASK, SOURCE, TARGET, PairStore
from reelpatch.headless.runs.pair_set.wording import worded
from reelpatch.headless.runs.request import RunRequest
from reelpatch.headless.runs.result import RunResult
from reelpatch.measure.changed_part import PairFilter, PairMeasures, changed_part
from reelpatch.media.sound import SoundPlan
from reelpatch.media.video_io import Frames, Video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress
from reelpatch.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class PairRequest(RunRequest):
    """A pair by its number in the data set, counted from 0; `output` is its folder, and units are as in `RunRequest`."""

    number: int
    line: PairLine
    filter: PairFilter
    rewriting: RewriteOptions

    @classmethod
    def of(
        cls,
        run: RunRequest,
        place: Path,
        number: int,
        line: PairLine,
        judged: PairFilter,
        how: RewriteOptions,
    ) -> PairRequest:
        """The request for one line, made as `run` says."""
        shared = {field.name: getattr(run, field.name) for field in fields(RunRequest)}
        shared |= {"output": place, "seed": line.words.seed}
        return cls(**shared, number=number, line=line, filter=judged, rewriting=how)

    @property
    def target(self) -> Path:
        """The pair's folder."""
        assert self.output is not None
        return self.output


def make_pair(request: PairRequest, on_progress: OnProgress, maker: PairMaker) -> RunResult:
    """Makes a pair and puts it in its folder, in place of another that stands there.

    Raises: `BadInput` for whatever the user can correct.
    """
    began = time.monotonic()
    settings, line = maker.recipe, request.line
    said = worded(line, request.rewriting)  # a language model that fails is found before minutes of work
    clips = maker.make(
        line.words, frames=settings.frames, size=(settings.height, settings.width), on_progress=on_progress
    )
    source, target = (to_bytes(clip) for clip in clips)
    mask = changed_part(source, target)
    measures = PairMeasures.of(source, target, mask)
    painted = np.repeat(to_bytes(mask)[..., None], 3, axis=-1)

    def write(folder: Path) -> None:
        for name, frames in ((SOURCE, source), (TARGET, target), (MASK, painted)):
            _write(frames, folder / name, settings)

    record = {
        **line.as_dict(),
        **said,
        "asked": line.as_dict(),
        "sharing": replace(settings.check_shares(), change=line.words.change).as_dict(),
        "recipe": settings.name,
        "licence": settings.licence,
        "measures": asdict(measures),
        **judged(measures, request.filter),
    }
    PairStore(request.target.parent, {}).add(request.number, write, record)
    fps = Fraction(settings.fps).limit_denominator(1001)
    return RunResult.of(request, maker, source.shape, fps, began)


def judged(measures: PairMeasures, thresholds: PairFilter) -> dict[str, Any]:
    """What a record says of the filter."""
    return {"filter": thresholds.as_dict(), "problems": thresholds.problems(measures)}


def _write(frames: Frames, path: Path, settings: Recipe) -> None:
    """Without loss, so that what is equal in two clips stays equal in their files."""
    fps = Fraction(settings.fps).limit_denominator(1001)
    write_video(Video(frames, fps), path, lossless=True, sound=SoundPlan())
