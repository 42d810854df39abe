"""A data set of pairs of clips from a file of captions: it goes on where it was stopped, and holds no half pair."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from reelpatch.headless.hosts.pair_maker import PairMaker
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.pair_set.layouts import lists_of
from reelpatch.headless.runs.pair_set.lines import PairLine, read_lines
from reelpatch.headless.runs.pair_set.making import PairRequest, judged, make_pair
from reelpatch.headless.runs.pair_set.settings import pair_settings
from reelpatch.headless.runs.pair_set.side_by_side import devices_for, make_side_by_side
from reelpatch.headless.runs.pair_set.store import PairStore
from reelpatch.headless.runs.request import RunRequest
from reelpatch.measure.changed_part import PairFilter, PairMeasures
from reelpatch.media.output_lock import owns_output
from reelpatch.progress import OnProgress, silent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PairsRequest(RunRequest):
    """A file of pairs, one JSON object a line, and the folder that the data set goes to.

    Units: as in `RunRequest`; `seed` is that of the first pair, and each pair without one of its own has the next. `jobs` is how many
    processes make pairs side by side.
    """

    file: Path
    out: Path
    recipe: str = "demo-shared-attention"
    jobs: int = 1
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
def run_pairs(request: PairsRequest, on_progress: OnProgress = silent, spelled: Spelled = str) -> PairsResult:
    """Makes the pairs of a file that are not made yet, then writes the lists for trainers.

    `spelled` says how settings are called where several processes make them.

    Guarantees: however often it was stopped, the folder ends up the same; a pair's folder is there whole or not at all.
    Raises: `BadInput` for whatever the user can correct, before weights are loaded; `KeyboardInterrupt` with what is kept.
    """
    began = time.monotonic()
    settings = pair_settings(request)
    frames, size = settings.frames, (settings.height, settings.width)
    lines = read_lines(request.file, frames=frames, seed=request.seed)
    maker = PairMaker(settings, **request.for_runner())
    for line in lines:
        maker.check_text(line.words.source)
        maker.check_text(line.words.target)
    store = PairStore(request.out, identity(maker, None) | {"frames": frames, "size": list(size)})
    store.open()
    _log.info("%s", maker.files.describe())
    try:
        made = _make_missing(lines, maker, store, request, on_progress, spelled)
    except KeyboardInterrupt:
        done = sum(store.record(number) is not None for number in range(len(lines)))
        raise KeyboardInterrupt(
            f"stopped; {done} of {len(lines)} pairs are finished and kept in {request.out}: the same command goes on from there."
        ) from None
    good = _write_lists(store, len(lines))
    return PairsResult(request.out, len(lines), made, good, settings.name, time.monotonic() - began)


def _told(on_progress: OnProgress, label: str, stage: str, done: int, total: int) -> None:
    on_progress(label + stage, done, total)


def _make_missing(
    lines: Sequence[PairLine],
    maker: PairMaker,
    store: PairStore,
    request: PairsRequest,
    on_progress: OnProgress,
    spelled: Spelled,
) -> int:
    """Makes those that are not there, here or by several processes; how many these were."""
    devices = devices_for(request.jobs, request.device)
    missing = [
        PairRequest.of(request, store.place(number), number, line, request.filter, request.rewriting)
        for number, line in enumerate(lines)
        if not _is_kept(number, line, store, request)
    ]
    if len(devices) > 1 and len(missing) > 1:
        make_side_by_side(missing, devices[: len(missing)], on_progress, spelled)
    else:
        for one in missing:
            label = f"pair {one.number + 1}/{len(lines)}: "
            make_pair(one, partial(_told, on_progress, label), maker)
    return len(missing)


def _is_kept(number: int, line: PairLine, store: PairStore, request: PairsRequest) -> bool:
    """Whether a pair is there as it is asked for; what the filter says of it is brought up to date."""
    record = store.record(number)
    if record is None or record["asked"] != line.as_dict():
        return False
    now = record | judged(PairMeasures(**record["measures"]), request.filter)
    if now != record:
        store.change_record(number, now)
    return True


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
