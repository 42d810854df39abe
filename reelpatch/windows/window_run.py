"""A clip of any length, window by window: what is finished is kept, and a run that was stopped goes on from there."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice
from reelpatch.media.clip_size import clip_size
from reelpatch.media.frame_reader import ClipHeader, FrameReader, look_through
from reelpatch.media.sound import SoundPlan
from reelpatch.media.video_io import Frames, Video
from reelpatch.media.video_write import announce_result, write_video
from reelpatch.progress import OnProgress
from reelpatch.windows.file_stamp import is_unchanged
from reelpatch.windows.kept_work import KeptWork
from reelpatch.windows.plan_windows import FrameWindow, WindowPlan, plan_windows, usual_overlap
from reelpatch.windows.window_store import FinishedWindow, WindowStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WindowOptions:
    """How a clip is cut up, as asked for; None is left to the recipe, and 0 frames work on the clip whole.

    Units: frames; `only` works on that many from the first. `accept_damage` is as in `read_video`.
    """

    length: int | None
    overlap: int | None
    only: int | None
    accept_damage: bool = False


@dataclass(frozen=True)
class LongClip:
    """A clip that is longer than a window, and its windows."""

    header: ClipHeader
    plan: WindowPlan

    @property
    def fps(self) -> Fraction:
        """Of clip and result."""
        return self.header.video.fps

    @property
    def duration_s(self) -> Fraction:
        """Of what is worked on."""
        return self.header.video.shown_s(self.plan.clip_frames)

    @property
    def result(self) -> Video:
        """What is written, but for its pictures."""
        video, num_frames = self.header.video, self.plan.clip_frames
        return video if num_frames == self.header.num_frames else video.cut(num_frames)


@dataclass(frozen=True, eq=False)
class WindowJob:
    """One window that is to be worked on; `number` counts from 0.

    Shapes: pictures [F, H, W, 3], fewer than `window.frames` where the clip ends in it.
    `carried` is what the window before left, empty for the first; the next one shares `keep` frames, 0 after the last.
    """

    number: int
    pictures: Frames
    window: FrameWindow
    carried: Mapping[str, Tensor]
    keep: int


Work = Callable[[WindowJob, OnProgress], FinishedWindow]


def find_windows(
    clip: Path, options: WindowOptions, *, lattice: Lattice, usual: int, folder_fps: Fraction
) -> LongClip | None:
    """The windows of a clip; None where it is worked on whole, because it is short or that was asked for.

    Unless said otherwise, windows are as long as the recipe was made for, `usual`; `lattice` is that of its models.

    Raises: `BadInput` for options that do not go together, and as `look_through`.
    """
    if options.length == 0 or (options.length is None and options.only is not None):
        if options.overlap is not None:
            raise BadInput(
                "an overlap is what windows share, but the clip is worked on whole: leave it out.",
                setting="overlap",
            )
        return None
    length = options.length or usual
    overlap = usual_overlap(length, lattice) if options.overlap is None else options.overlap
    plan_windows(1, length, overlap, lattice)  # refuses what is not legal
    if _counted(clip) <= length:
        return None
    header = look_through(clip, folder_fps=folder_fps, accept_damage=options.accept_damage)
    num_frames = header.num_frames if options.only is None else options.only
    if not 1 <= num_frames <= header.num_frames:
        raise BadInput(
            f"{num_frames} frames were asked for, but {clip} has {header.num_frames}: use 1 to {header.num_frames}.",
            setting="frames",
        )
    plan = plan_windows(num_frames, length, overlap, lattice)
    return LongClip(header, plan) if len(plan.windows) > 1 else None


def run_windows(
    clip: LongClip,
    target: Path,
    run: Mapping[str, Any],
    work: Work,
    on_progress: OnProgress,
    *,
    lossless: bool = False,
    sound: SoundPlan | None = None,
) -> None:
    """Works through the windows that are not finished yet, then writes the result and takes the windows away.

    `run` is as in `WindowStore`, `lossless` as in `write_video`; its "clip" and "mask" are stamps of these files. `sound`
    is what `announce_result` found, if it was called.
    Guarantees: the result has the same bytes however often the run was stopped, and is made of one state of its sources.
    Raises: `BadInput` where something cannot be written, and for a source that was changed during the run; finished
        windows stay. `KeyboardInterrupt` with what stays.
    """
    sound = sound or announce_result(clip.result, target, lossless=lossless)
    store, windows = WindowStore(target, run), clip.plan.windows
    store.open()
    _say_where_it_begins(store, len(windows))
    try:
        with closing(FrameReader(clip.header.path, accept_damage=clip.header.accept_damage)) as reader:
            for number in range(len(windows)):
                if store.is_finished(number):
                    continue
                kept = KeptWork(target, {**run, "window": number})
                window = kept.found() or _finished(clip, reader, number, store, work, on_progress)
                _add(store, number, window, kept)
        _check_sources(run)
        _write(clip, store, target, sound, lossless=lossless)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; {store.num_finished} of {len(windows)} windows are finished and kept in {store.folder}: the same "
            "command goes on from there."
        ) from None
    except Exception:
        _log.info(
            "%d of %d windows are finished and kept in %s.", store.num_finished, len(windows), store.folder
        )
        raise
    try:
        store.remove()
    except BadInput as error:
        _log.warning("%s is finished, but its windows could not be taken away: %s", target, error)


@dataclass(frozen=True)
class _StoredPictures:
    """The pictures of all windows, read as they are asked for."""

    store: WindowStore
    num_windows: int
    shape: tuple[int, ...]

    def __iter__(self) -> Iterator[Frames]:
        for number in range(self.num_windows):
            yield from self.store.pictures(number)


def _finished(
    clip: LongClip, reader: FrameReader, number: int, store: WindowStore, work: Work, on_progress: OnProgress
) -> FinishedWindow:
    windows = clip.plan.windows
    window, is_last = windows[number], number + 1 == len(windows)
    job = WindowJob(
        number=number,
        pictures=reader.part(window.first, min(window.end, clip.plan.clip_frames)),
        window=window,
        carried=store.carried(number - 1) if number else {},
        keep=0 if is_last else windows[number + 1].overlap,
    )
    return work(job, _told_with(f"window {number + 1}/{len(windows)}", on_progress))


def _add(store: WindowStore, number: int, window: FinishedWindow, kept: KeptWork) -> None:
    """Into the store; a window that this does not take is kept elsewhere."""
    try:
        store.add(number, window)
    except BadInput as error:
        folder = kept.keep(window)
        if folder is None:
            raise
        raise BadInput(
            f"{error} Window {number + 1} is finished and kept in {folder}: the same command goes on from there."
        ) from error
    kept.remove()


def _write(clip: LongClip, store: WindowStore, target: Path, sound: SoundPlan, *, lossless: bool) -> None:
    num_windows = len(clip.plan.windows)
    pictures = _StoredPictures(store, num_windows, (clip.plan.clip_frames, *clip.result.frames.shape[1:]))
    try:
        write_video(clip.result, target, lossless=lossless, pictures=pictures, sound=sound)
    except BadInput as error:
        raise BadInput(
            f"{error} All {num_windows} windows are finished and kept in {store.folder}: the same command goes on from there."
        ) from error


def _counted(clip: Path) -> int:
    """How many frames a clip announces, without decoding it; 0 where that fails, as reading it will explain."""
    try:
        return clip_size(clip)[0]
    except BadInput:
        return 0


def _check_sources(run: Mapping[str, Any]) -> None:
    """Pictures that were read window by window are of one file only if that stayed as it was."""
    for name in ("clip", "mask"):
        if not is_unchanged(run.get(name)):
            raise BadInput(
                f"the {name} {run[name][0]} was changed during the run, so that the windows made of it do not belong "
                "together: give the same command once more, which begins anew."
            )


def _say_where_it_begins(store: WindowStore, num_windows: int) -> None:
    if store.leftover:
        _log.warning(
            "%s held windows of another run (its %s differed), which were thrown away.",
            store.folder,
            ", ".join(store.leftover),
        )
    if store.is_unreadable:
        _log.warning("%s cannot be read, so that the windows in it were thrown away.", store.folder)
    if store.damaged:
        _log.warning(
            "Damaged or missing in %s, and made again: %s of %d.",
            store.folder,
            ", ".join(f"window {number + 1}" for number in store.damaged),
            num_windows,
        )
    if store.num_finished:
        _log.info(
            "%d of %d windows are finished already: going on from there.", store.num_finished, num_windows
        )


def _told_with(window: str, on_progress: OnProgress) -> Callable[[str, int, int], None]:
    return lambda stage, done, total: on_progress(f"{window}, {stage}", done, total)
