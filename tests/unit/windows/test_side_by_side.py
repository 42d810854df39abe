"""While a window is worked on, the next is read and the last is kept; what fails, and Ctrl-C, leave the finished windows."""

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import side_by_side
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.media.frame_reader import FrameReader, look_through
from reelpatch.media.video_io import Frames, Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress
from reelpatch.windows import window_run
from reelpatch.windows.plan_windows import plan_windows
from reelpatch.windows.side_by_side import Beside
from reelpatch.windows.window_run import CutClip, WindowJob, run_windows
from reelpatch.windows.window_store import FinishedWindow, WindowStore
from tests.conftest import moving_square

NUM_WINDOWS = 4  # of 9 frames each, which begin at 0, 4, 8 and 12
GIVE_UP_S = 600  # only a run that would wait for ever takes so long


@pytest.fixture
def clip(tmp_path: Path) -> CutClip:
    path = tmp_path / "in" / "clip.mkv"
    path.parent.mkdir()
    write_video(Video(moving_square(21), Fraction(8)), path)
    return CutClip(look_through(path, folder_fps=Fraction(1)), plan_windows(21, 9, 5, lattice=WAN.lattice))


class Events:
    """What began and ended, in order, in whichever thread; readers, stores and models tell it here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self.held: dict[str, Callable[[], object]] = {}
        self._changed = threading.Condition()
        events = self

        class Reader(FrameReader):
            def part(self, first: int, end: int) -> Frames:
                return events.during(f"read {first // 4}", lambda: super(Reader, self).part(first, end))

        class Store(WindowStore):
            def add(self, number: int, window: FinishedWindow) -> None:
                events.during(f"keep {number}", lambda: super(Store, self).add(number, window))

        monkeypatch.setattr(window_run, "FrameReader", Reader)
        monkeypatch.setattr(window_run, "WindowStore", Store)

    def during(self, name: str, work: Callable[[], object]) -> object:
        self.tell(f"{name} begins")
        self.held.get(name, lambda: None)()
        made = work()
        self.tell(f"{name} ends")
        return made

    def tell(self, event: str) -> None:
        with self._changed:
            self.seen.append(event)
            self._changed.notify_all()

    def wait_for(self, event: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: event in self.seen, GIVE_UP_S), (event, self.seen)

    def order(self, *events: str) -> bool:
        """Whether these came one after the other."""
        places = [self.seen.index(event) for event in events]
        return places == sorted(places)

    def work(self, job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
        def make() -> FinishedWindow:
            on_progress("denoising", 0, 1)
            before = int(job.carried["sum"]) if job.carried else 1
            carried = {"sum": torch.tensor(before * 3 + job.number)} if job.keep else {}
            first = 5 if job.number else 0
            return FinishedWindow(job.pictures[first:] // 2 + np.uint8(before % 50), carried)

        made = self.during(f"work {job.number}", make)
        assert isinstance(made, FinishedWindow)
        return made


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    return Events(monkeypatch)


def run(clip: CutClip, target: Path, events: Events) -> None:
    run_windows(clip, target, {}, events.work, lambda *_: None)


def finished(target: Path) -> int:
    return WindowStore(target, {}).open()


def test_the_next_window_is_read_and_the_last_is_kept_meanwhile(
    clip: CutClip, events: Events, tmp_path: Path
) -> None:
    """Each waits for the others, so that a run which did one after the other would never end."""
    for number in range(NUM_WINDOWS - 1):
        events.held[f"work {number}"] = lambda number=number: events.wait_for(f"read {number + 1} ends")
        events.held[f"keep {number}"] = lambda number=number: events.wait_for(f"work {number + 1} begins")
    run(clip, tmp_path / "x.mkv", events)
    for number in range(1, NUM_WINDOWS):
        assert events.order(f"work {number - 1} ends", f"work {number} begins", f"work {number} ends")
        assert events.order(f"keep {number - 1} ends", f"keep {number} begins")


def test_no_more_than_one_window_is_read_ahead_or_waits_to_be_kept(
    clip: CutClip, events: Events, tmp_path: Path
) -> None:
    run(clip, tmp_path / "x.mkv", events)
    for number in range(2, NUM_WINDOWS):
        assert events.order(f"work {number - 2} ends", f"read {number} begins")
        assert events.order(f"keep {number - 2} ends", f"keep {number - 1} begins")


def test_the_result_is_what_it_is_one_after_the_other(clip: CutClip, events: Events, tmp_path: Path) -> None:
    run(clip, tmp_path / "x.mkv", events)
    reader, expected, carried = FrameReader(clip.header.path), [], {}
    for number, window in enumerate(clip.plan.windows):
        keep = 0 if number + 1 == NUM_WINDOWS else 5
        job = WindowJob(number, reader.part(window.first, min(window.end, 21)), window, carried, keep)
        made = events.work(job, lambda *_: None)
        carried = made.carried
        expected.append(made.pictures)
    reader.close()
    assert np.array_equal(
        read_video(tmp_path / "x.mkv", folder_fps=Fraction(8)).frames, np.concatenate(expected)
    )


def test_ctrl_c_leaves_what_is_finished_and_what_was_just_being_kept(
    clip: CutClip, events: Events, tmp_path: Path
) -> None:
    def stop() -> None:
        events.wait_for("keep 1 begins")
        raise KeyboardInterrupt

    events.held["work 2"] = stop
    with pytest.raises(KeyboardInterrupt, match="2 of 4 windows are finished"):
        run(clip, tmp_path / "x.mkv", events)
    assert events.order("keep 1 begins", "keep 1 ends")
    assert finished(tmp_path / "x.mkv") == 2
    assert [
        thread for thread in threading.enumerate() if thread.name.startswith(("reading", "keeping"))
    ] == []


def fail() -> None:
    raise BadInput("there is no room.")


def test_a_store_that_fails_stops_the_window_that_is_being_made(
    clip: CutClip, events: Events, tmp_path: Path
) -> None:
    events.held["keep 1"] = fail
    begun = threading.Event()

    def wait() -> None:
        events.wait_for("keep 1 begins")
        keeping = next(thread for thread in threading.enumerate() if thread.name.startswith("keeping"))
        assert keeping.is_alive()
        begun.wait(0.2)  # for the failure to be on its way; without it the run ends the same, one step later

    events.held["work 2"] = wait
    with pytest.raises(BadInput, match=r"no room\. Window 2 is finished and kept in"):
        run(clip, tmp_path / "x.mkv", events)
    assert finished(tmp_path / "x.mkv") == 1
    assert "work 3 begins" not in events.seen
    assert "keep 2 begins" not in events.seen
    events.held.clear()
    events.seen.clear()
    run(clip, tmp_path / "x.mkv", events)
    assert "work 1 begins" not in events.seen  # it was kept elsewhere


def test_a_reader_that_fails_leaves_the_windows_before(clip: CutClip, events: Events, tmp_path: Path) -> None:
    events.held["read 2"] = fail
    with pytest.raises(BadInput, match="no room"):
        run(clip, tmp_path / "x.mkv", events)
    assert "work 2 begins" not in events.seen
    assert finished(tmp_path / "x.mkv") == 2


def test_what_fails_beside_is_raised_where_nothing_else_was() -> None:
    with pytest.raises(BadInput, match="no room"), Beside[None]("keeping") as keeping:
        keeping.start(fail)


def test_what_fails_beside_hides_nothing_that_failed_before() -> None:
    def both() -> None:
        with Beside[None]("keeping") as keeping:
            keeping.start(fail)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        both()


def test_the_benchmark_compares_the_same_pictures() -> None:
    assert all(seconds > 0 for seconds in side_by_side.measure(0.0))
