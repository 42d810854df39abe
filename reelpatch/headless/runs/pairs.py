"""A data set of pairs of clips from a file of captions: it goes on where it was stopped, and holds no half pair."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.headless.hosts.pair_maker import PairMaker, check_shares
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.pair_set.layouts import lists_of
from reelpatch.headless.runs.pair_set.lines import PairLine, read_lines
from reelpatch.headless.runs.pair_set.store import MASK, SOURCE, TARGET, PairStore
from reelpatch.headless.runs.pair_set.wording import worded
from reelpatch.headless.runs.request import RunRequest
from reelpatch.measure.changed_part import PairFilter, PairMeasures, changed_part
from reelpatch.media.output_lock import owns_output
from reelpatch.media.sound import SoundPlan
from reelpatch.media.video_io import Frames, Video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.schedules import make_sigmas

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PairsRequest(RunRequest):
    """A file of pairs, one JSON object a line, and the folder that the data set goes to.

    Units: as in `RunRequest`; `seed` is that of the first pair, and each pair without one of its own has the next.
    """

    file: Path
    out: Path
    recipe: str = "demo-shared-attention"
    filter: PairFilter = field(default_factory=PairFilter)
    rewriting: RewriteOptions = field(default_factory=RewriteOptions)

    @property
    def target(self) -> Path:
        """The data set's folder."""
        return self.out


@dataclass(frozen=True)
class PairsResult:
    """What was made: how many pairs there are, how many of them anew, and how many are good enough for the lists."""

    out: Path
    pairs: int
    made: int
    good: int
    recipe: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """In plain types."""
        return {**asdict(self), "out": str(self.out), "seconds": round(self.seconds, 3)}


@owns_output
def run_pairs(request: PairsRequest, on_progress: OnProgress = silent) -> PairsResult:
    """Makes the pairs of a file that are not made yet, then writes the lists for trainers.

    Guarantees: however often it was stopped, the folder ends up the same; a pair's folder is there whole or not at all.
    Raises: `BadInput` for whatever the user can correct, before weights are loaded; `KeyboardInterrupt` with what is kept.
    """
    began = time.monotonic()
    settings = _settings(request)
    frames, size = settings.frames, (settings.height, settings.width)
    lines = read_lines(request.file, frames=frames, seed=request.seed)
    maker = PairMaker(settings, **request.for_runner())
    for line in lines:
        maker.check_text(line.words.source)
        maker.check_text(line.words.target)
    store = PairStore(request.out, identity(maker, None) | {"frames": frames, "size": list(size)})
    store.open()
    _log.info("%s", maker.files.describe())
    made = 0
    try:
        for number, line in enumerate(lines):
            label = f"pair {number + 1}/{len(lines)}: "
            made += _made(number, line, maker, store, request, partial(_told, on_progress, label))
    except KeyboardInterrupt:
        done = sum(store.record(number) is not None for number in range(len(lines)))
        raise KeyboardInterrupt(
            f"stopped; {done} of {len(lines)} pairs are finished and kept in {request.out}: the same command goes on from there."
        ) from None
    good = _write_lists(store, len(lines))
    return PairsResult(request.out, len(lines), made, good, settings.name, time.monotonic() - began)


def _told(on_progress: OnProgress, label: str, stage: str, done: int, total: int) -> None:
    on_progress(label + stage, done, total)


def _settings(request: PairsRequest) -> Recipe:
    """The recipe with what the request says otherwise. Raises: `BadInput` for what it cannot run with."""
    settings = recipe(request.recipe)
    check_shares(settings)
    height, width = request.size or (settings.height, settings.width)
    settings = replace(
        settings,
        height=height,
        width=width,
        frames=settings.frames if request.frames is None else request.frames,
        fps=settings.fps if request.fps is None else float(request.fps),
        steps=settings.steps if request.steps is None else request.steps,
    ).guided(request.guidance, request.guidance_steps)
    settings.lattice.latent_shape(settings.frames, (height, width))  # refuses what is not legal
    make_sigmas(settings.schedule, settings.steps, shift=settings.shift)
    return settings


def _made(
    number: int,
    line: PairLine,
    maker: PairMaker,
    store: PairStore,
    request: PairsRequest,
    on_progress: OnProgress,
) -> bool:
    """Whether a pair had to be made; of one that is there, what the filter says is brought up to date."""
    record = store.record(number)
    if record is not None and record["asked"] == line.as_dict():
        measures = PairMeasures(**record["measures"])
        now = record | _judged(measures, request.filter)
        if now != record:
            store.change_record(number, now)
        return False
    settings = maker.recipe
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

    sharing = check_shares(settings)
    record = {
        **line.as_dict(),
        **said,
        "asked": line.as_dict(),
        "sharing": replace(sharing, change=line.words.change).as_dict(),
        "recipe": settings.name,
        "licence": settings.licence,
        "measures": asdict(measures),
        **_judged(measures, request.filter),
    }
    store.add(number, write, record)
    return True


def _judged(measures: PairMeasures, thresholds: PairFilter) -> dict[str, Any]:
    return {"filter": thresholds.as_dict(), "problems": thresholds.problems(measures)}


def _write(frames: Frames, path: Path, settings: Recipe) -> None:
    """Without loss, so that what is equal in two clips stays equal in their files."""
    fps = Fraction(settings.fps).limit_denominator(1001)
    write_video(Video(frames, fps), path, lossless=True, sound=SoundPlan())


def _write_lists(store: PairStore, count: int) -> int:
    """Writes the lists for trainers; how many pairs are in them."""
    records: list[tuple[str, dict[str, Any]]] = []
    for number in range(count):
        record = store.record(number)
        assert record is not None
        records.append((store.place(number).name, record))
    for name, text in lists_of(records).items():
        store.write_text(name, text)
    good = sum(not record["problems"] for _, record in records)
    _log.info("%d of %d pairs are good enough for the lists; the records of the others say why.", good, count)
    return good
