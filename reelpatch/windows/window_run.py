"""A clip of any length, window by window: what is finished is kept, and a run that was stopped goes on from there.

A short clip is one window.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice
from reelpatch.media.frame_reader import ClipHeader, FrameReader, look_through
from reelpatch.media.sound import SoundPlan
from reelpatch.media.video_io import Frames, Video
from reelpatch.media.video_write import announce_result, write_video
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise
from reelpatch.windows.file_stamp import is_unchanged
from reelpatch.windows.kept_work import KeptWork, kept_if_writing_fails
from reelpatch.windows.plan_windows import FrameWindow, WindowPlan, one_window, plan_windows, usual_overlap
from reelpatch.windows.side_by_side import Beside
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
class CutClip:
    """A clip, and the windows that it is worked on in: one where it is short, or where that was asked for.

    `comment` and `tags` are written into the result.
    """

    header: ClipHeader
    plan: WindowPlan
    comment: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

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
        video, num_frames = (
            replace(self.header.video, comment=self.comment, tags=self.tags),
            self.plan.clip_frames,
        )
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

    def noise(self, seed: int) -> int | FrameNoise:
        """The seed of its noise, which is drawn in one go for a clip that is one window."""
        is_only = self.number == 0 and self.keep == 0
        return seed if is_only else FrameNoise(seed, self.window.first_latent)


Work = Callable[[WindowJob, OnProgress], FinishedWindow]


def find_windows(
    clip: Path,
    options: WindowOptions,
    *,
    lattice: Lattice,
    usual: int,
    folder_fps: Fraction,
    header: ClipHeader | None = None,
) -> CutClip:
    """A clip and its windows.

    Unless said otherwise, windows are as long as the recipe was made for, `usual`; `lattice` is that of its models. The clip is
    looked through, unless its `header` is given.

    Raises: `BadInput` for options that do not go together, and as `look_through`.
    """
    length, overlap = options.length, options.overlap
    is_whole = length == 0 or (length is None and options.only is not None)
    if is_whole and overlap is not None:
        raise BadInput(
            "an overlap is what windows share, but the clip is worked on whole: leave it out.",
            setting="overlap",
        )
    length = length or usual
    overlap = usual_overlap(length, lattice) if overlap is None else overlap
    if not is_whole:
        plan_windows(1, length, overlap, lattice)  # refuses what is not legal
    header = header or look_through(clip, folder_fps=folder_fps, accept_damage=options.accept_damage)
    num_frames = header.num_frames if options.only is None else options.only
    if not 1 <= num_frames <= header.num_frames:
        raise BadInput(
            f"{num_frames} frames were asked for, but {clip} has {header.num_frames}: use 1 to {header.num_frames}.",
            setting="frames",
        )
    if is_whole:
        return CutClip(header, one_window(num_frames, lattice))
    return CutClip(header, plan_windows(num_frames, length, overlap, lattice))


def run_windows(  # noqa: PLR0913 -- what hosts settle of a run
    clip: CutClip,
    target: Path,
    run: Mapping[str, Any],
    work: Work,
    on_progress: OnProgress,
    *,
    lossless: bool = False,
    sound: SoundPlan | None = None,
    on_made: Callable[[], None] = lambda: None,
) -> None:
    """Works through the windows that are not finished yet, then writes the result and takes the windows away.

    The one window of a short clip is written at once; it is kept only where that fails.
    `run` is as in `WindowStore`, `lossless` as in `write_video`; its "clip" and "mask" are stamps of these files. `sound`
    is what `announce_result` found, if it was called. `on_made` is called when all windows are made, before the result is written.
    Guarantees: the result has the same bytes however often the run was stopped, and is made of one state of its sources.
    Raises: `BadInput` where something cannot be written, and for a source that was changed during the run; finished
        windows stay. `KeyboardInterrupt` with what stays.
    """
    sound = sound or announce_result(clip.result, target, lossless=lossless)
    windows = clip.plan.windows
    if len(windows) == 1:
        window, kept = _the_one(clip, target, run, work, on_progress)
        on_made()
        with kept_if_writing_fails(kept, window.pictures):
            video = replace(clip.result, frames=window.pictures)
            write_video(video, target, lossless=lossless, sound=sound)
        return
    store = WindowStore(target, run)
    store.open()
    _say_where_it_begins(store, len(windows))
    try:
        _WindowsInTurn(clip, target, run, store, work, on_progress).make()
        on_made()
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


def _the_one(
    clip: CutClip, target: Path, run: Mapping[str, Any], work: Work, on_progress: OnProgress
) -> tuple[FinishedWindow, KeptWork]:
    """Of a clip that is one window: what an earlier run made but could not write is taken up instead of being made."""
    kept = KeptWork(target, run)
    window = kept.found()
    if window is None:
        with closing(FrameReader(clip.header.path, accept_damage=clip.header.accept_damage)) as reader:
            job = _job(clip, _pictures(clip, reader, 0), 0, {})
            _check_sources(run)
            window = work(job, on_progress)
    return window, kept


@dataclass(frozen=True, eq=False)
class _WindowsInTurn:
    """Makes the windows of a clip that are not finished yet: while one is worked on, the next is read and the last is kept."""

    clip: CutClip
    target: Path
    run: Mapping[str, Any]
    store: WindowStore
    work: Work
    on_progress: OnProgress

    def make(self) -> None:
        """Raises: as `run_windows`; what was finished by then is kept."""
        num_windows = len(self.clip.plan.windows)
        carried: Mapping[str, Tensor] | None = {}
        path, accept_damage = self.clip.header.path, self.clip.header.accept_damage
        with (
            closing(FrameReader(path, accept_damage=accept_damage)) as frames,
            Beside[Frames | FinishedWindow]("reading") as reading,
            Beside[None]("keeping") as keeping,
        ):
            for number in range(num_windows):
                if self.store.is_finished(number):
                    keeping.finish()  # a window that comes out differently than before takes later ones with it
                if self.store.is_finished(number):
                    carried = None  # in memory
                    continue
                found = reading.finish()
                if found is None:
                    found = self._read(frames, number)
                if number + 1 < num_windows and not self.store.is_finished(number + 1):
                    reading.start(partial(self._read, frames, number + 1))
                if not isinstance(found, FinishedWindow):
                    before = self.store.carried(number - 1) if carried is None else carried
                    found = self._made(number, found, before, keeping)
                kept = self._kept(number)
                with _not_lost(number, found, kept):
                    keeping.finish()
                keeping.start(partial(_add, self.store, number, found, kept))
                carried = found.carried

    def _read(self, frames: FrameReader, number: int) -> Frames | FinishedWindow:
        """The pictures of a window; where it was finished before but could not be stored, that."""
        return self._kept(number).found() or _pictures(self.clip, frames, number)

    def _made(
        self, number: int, pictures: Frames, carried: Mapping[str, Tensor], keeping: Beside[None]
    ) -> FinishedWindow:
        tell = _told_with(f"window {number + 1}/{len(self.clip.plan.windows)}", self.on_progress)

        def on_progress(stage: str, done: int, total: int) -> None:
            keeping.check()  # nothing is made for a store that takes nothing any more
            tell(stage, done, total)

        return self.work(_job(self.clip, pictures, number, carried), on_progress)

    def _kept(self, number: int) -> KeptWork:
        return KeptWork(self.target, {**self.run, "window": number})


def _pictures(clip: CutClip, frames: FrameReader, number: int) -> Frames:
    window = clip.plan.windows[number]
    return frames.part(window.first, min(window.end, clip.plan.clip_frames))


def _job(clip: CutClip, pictures: Frames, number: int, carried: Mapping[str, Tensor]) -> WindowJob:
    windows = clip.plan.windows
    window, is_last = windows[number], number + 1 == len(windows)
    return WindowJob(
        number=number,
        pictures=pictures,
        window=window,
        carried=carried,
        keep=0 if is_last else windows[number + 1].overlap,
    )


def _add(store: WindowStore, number: int, window: FinishedWindow, kept: KeptWork) -> None:
    """Into the store; a window that this does not take is kept elsewhere."""
    with _not_lost(number, window, kept):
        store.add(number, window)
    kept.remove()


@contextmanager
def _not_lost(number: int, window: FinishedWindow, kept: KeptWork) -> Generator[None]:
    """Where the store takes no more, a finished window is kept elsewhere, and the sentence says where."""
    try:
        yield
    except BadInput as error:
        folder = kept.keep(window)
        if folder is None:
            raise
        raise BadInput(
            f"{error} Window {number + 1} is finished and kept in {folder}: the same command goes on from there."
        ) from error


def _write(clip: CutClip, store: WindowStore, target: Path, sound: SoundPlan, *, lossless: bool) -> None:
    num_windows = len(clip.plan.windows)
    pictures = _StoredPictures(store, num_windows, (clip.plan.clip_frames, *clip.result.frames.shape[1:]))
    try:
        write_video(clip.result, target, lossless=lossless, pictures=pictures, sound=sound)
    except BadInput as error:
        raise BadInput(
            f"{error} All {num_windows} windows are finished and kept in {store.folder}: the same command goes on from there."
        ) from error


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


def window_alone(clip: CutClip, number: int) -> WindowJob:
    """One window as it is before the one before it is made: with its pictures, and nothing carried."""
    with closing(FrameReader(clip.header.path, accept_damage=clip.header.accept_damage)) as reader:
        return _job(clip, _pictures(clip, reader, number), number, {})


def _told_with(window: str, on_progress: OnProgress) -> Callable[[str, int, int], None]:
    return lambda stage, done, total: on_progress(f"{window}, {stage}", done, total)
