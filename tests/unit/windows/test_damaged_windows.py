"""What a run finds of its own from before is taken for finished only if every bit of it is as it was written."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.media.frame_reader import look_through
from reelpatch.media.output_lock import owned_output
from reelpatch.media.video_io import Frames, Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.progress import silent
from reelpatch.windows.file_stamp import stamp, weight_stamp
from reelpatch.windows.plan_windows import plan_windows
from reelpatch.windows.window_run import CutClip, WindowJob, run_windows
from reelpatch.windows.window_store import FinishedWindow, WindowStore
from tests.conftest import moving_square
from tests.forked import fork_of

NUM_WINDOWS = 4  # of 9 frames each, which begin at 0, 4, 8 and 12


@pytest.fixture(autouse=True)
def _log_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("reelpatch"), "propagate", True)


@pytest.fixture
def clip(tmp_path: Path) -> CutClip:
    path = tmp_path / "in" / "clip.mkv"
    path.parent.mkdir()
    write_video(Video(moving_square(21), Fraction(8)), path)
    return CutClip(look_through(path, folder_fps=Fraction(1)), plan_windows(21, 9, 5, lattice=WAN.lattice))


class Work:
    """Darkens the clip; each window adds what the one before carried. Stops before the window `until`."""

    def __init__(self, until: int = NUM_WINDOWS, between: Callable[[int], object] = lambda _: None) -> None:
        self.made: list[int] = []
        self._until, self._between = until, between

    def __call__(self, job: WindowJob, _on_progress: object) -> FinishedWindow:
        if job.number == self._until:
            raise KeyboardInterrupt
        self._between(job.number)
        self.made.append(job.number)
        before = int(job.carried["sum"]) if job.carried else 1
        first = 5 if job.number else 0
        carried = {"sum": torch.tensor(before * 3 + job.number)} if job.keep else {}
        return FinishedWindow(job.pictures[first:] // 2 + np.uint8(before % 50), carried)


def run(clip: CutClip, target: Path, work: Work) -> list[int]:
    """The windows that were made."""
    run_windows(clip, target, {"clip": stamp(clip.header.path)}, work, silent)
    return work.made


def stopped(clip: CutClip, target: Path, after: int = 3) -> Path:
    """The folder of a run that was stopped once so many windows were finished."""
    with pytest.raises(KeyboardInterrupt, match=f"{after} of 4 windows are finished"):
        run(clip, target, Work(until=after))
    return target.with_name(f"{target.name}.windows")


@pytest.fixture
def whole(clip: CutClip, tmp_path: Path) -> Frames:
    assert run(clip, tmp_path / "whole.mkv", Work()) == [0, 1, 2, 3]
    return frames_of(tmp_path / "whole.mkv")


def frames_of(path: Path) -> Frames:
    return read_video(path, folder_fps=Fraction(1)).frames


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("hurt", [flip, cut, empty, Path.unlink])
@pytest.mark.parametrize("suffix", ["mkv", "safetensors"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_window_is_made_again_and_the_others_are_not(
    hurt: Callable[[Path], object],
    suffix: str,
    number: int,
    clip: CutClip,
    whole: Frames,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    target = tmp_path / "x.mkv"
    hurt(stopped(clip, target) / f"{number:05d}.{suffix}")
    with caplog.at_level("INFO", logger="reelpatch"):
        assert run(clip, target, Work()) == [number, 3]
    assert f"made again: window {number + 1} of 4." in caplog.text
    assert "2 of 4 windows are finished already" in caplog.text
    assert np.array_equal(frames_of(target), whole)
    assert not target.with_name("x.mkv.windows").exists()


def test_a_damage_that_is_not_mended_yet_is_remembered(clip: CutClip, whole: Frames, tmp_path: Path) -> None:
    target = tmp_path / "x.mkv"
    folder = stopped(clip, target)
    flip(folder / "00000.mkv")
    flip(folder / "00002.mkv")
    with pytest.raises(KeyboardInterrupt, match="2 of 4 windows are finished"):
        run(clip, target, Work(until=2))
    assert run(clip, target, Work()) == [2, 3]
    assert np.array_equal(frames_of(target), whole)


def test_windows_that_went_on_from_something_else_are_made_again(tmp_path: Path) -> None:
    """As where the window that was made again was made on another kind of processor, and differs by a rounding."""
    store = WindowStore(tmp_path / "x.mkv", {})
    store.open()
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    for number in range(3):
        store.add(number, FinishedWindow(pictures, {"sum": torch.tensor(number)}))
    flip(store.folder / "00001.mkv")
    again = WindowStore(tmp_path / "x.mkv", {})
    assert again.open() == 2
    again.add(1, FinishedWindow(pictures, {"sum": torch.tensor(5)}))
    assert [again.is_finished(number) for number in range(3)] == [True, True, False]


def test_damage_during_the_run_never_gets_into_the_result(
    clip: CutClip, whole: Frames, tmp_path: Path
) -> None:
    target = tmp_path / "x.mkv"
    folder = target.with_name("x.mkv.windows")
    with pytest.raises(BadInput, match=r"window 1 in .* was damaged or taken away during the run"):
        run(clip, target, Work(between=lambda number: number == 3 and flip(folder / "00000.mkv")))
    assert not target.exists()
    with pytest.raises(BadInput, match=r"window 3 in .* was damaged or taken away during the run"):
        run(clip, target, Work(between=lambda number: number == 0 and cut(folder / "00002.safetensors")))
    assert run(clip, target, Work()) == [2]
    assert np.array_equal(frames_of(target), whole)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": 1}'])
def test_a_state_that_cannot_be_read_is_said(
    content: str, clip: CutClip, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "x.mkv"
    (stopped(clip, target) / "state.json").write_text(content)
    assert run(clip, target, Work()) == [0, 1, 2, 3]
    assert "x.mkv.windows cannot be read, so that the windows in it were thrown away." in caplog.text


def keep_times(path: Path, change: Callable[[Path], object]) -> None:
    status = path.stat()
    change(path)
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_source_that_was_changed_with_size_and_time_kept_is_another(
    clip: CutClip, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "x.mkv"
    stopped(clip, target)
    keep_times(clip.header.path, lambda path: path.write_bytes(recoloured(path)))
    assert run(clip, target, Work()) == [0, 1, 2, 3]
    assert "held windows of another run (its clip differed)" in caplog.text


def recoloured(path: Path) -> bytes:
    """A film of the same number of bytes: the title of its writer is another."""
    return path.read_bytes().replace(b"Lavf", b"Lavg")


def test_a_source_that_changes_under_the_run_gives_no_result(clip: CutClip, tmp_path: Path) -> None:
    target = tmp_path / "x.mkv"

    def change(number: int) -> None:
        if number == 2:
            keep_times(clip.header.path, lambda path: path.write_bytes(recoloured(path)))

    with pytest.raises(BadInput, match=r"the clip .*clip.mkv was changed during the run"):
        run(clip, target, Work(between=change))
    assert not target.exists()
    assert run(clip, target, Work()) == [0, 1, 2, 3]
    assert len(frames_of(target)) == 21


def test_a_source_that_was_only_touched_is_the_same(clip: CutClip, tmp_path: Path) -> None:
    target = tmp_path / "x.mkv"
    stopped(clip, target)
    clip.header.path.touch()
    assert run(clip, target, Work()) == [3]


def test_stamps_see_what_is_in_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for name in ("a", "b"):
        (tmp_path / "frames" / name).write_bytes(b"123")
    before = stamp(tmp_path / "frames")
    keep_times(tmp_path / "frames" / "b", lambda path: path.write_bytes(b"124"))
    assert stamp(tmp_path / "frames") != before
    weights = tmp_path / "weights"
    with weights.open("wb") as file:
        file.truncate(50_000_000)
    old = weight_stamp(weights)
    for at in (0, 49_999_999):
        keep_times(weights, lambda path, at=at: patched(path, at))
        assert weight_stamp(weights) != old
        old = weight_stamp(weights)


def patched(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"x")


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def race(clip: Path, target: Path, tone: int, starts: IO[str]) -> int:
    """A run that makes every window of one tone, once it is told to; having made the result it owns it until its input ends."""
    long_clip = CutClip(look_through(clip, folder_fps=Fraction(1)), plan_windows(21, 9, 5, WAN.lattice))

    def work(job: WindowJob, _on_progress: object) -> FinishedWindow:
        time.sleep(0.02)
        first = 5 if job.number else 0
        return FinishedWindow(np.full_like(job.pictures[first:], tone), {"tone": torch.tensor(tone)})

    say("ready")
    starts.readline()
    try:
        with owned_output(target):
            run_windows(long_clip, target, {"tone": tone}, work, silent)
            say("done")
            starts.read()
    except BadInput as error:
        say(str(error))
    return 0


class Racer:
    """A run in a process of its own, forked from this one: what it says can be read, and it is told by a pipe."""

    def __init__(self, clip: Path, target: Path, tone: int, others: Sequence["Racer"]) -> None:
        heard, says = os.pipe()
        told, tells = os.pipe()

        def run_alone() -> int:
            for number in (tells, heard, *(one.tells.fileno() for one in others)):
                os.close(number)  # an input ends once nobody holds its other end
            return race(clip, target, tone, os.fdopen(told))

        self.pid = fork_of(run_alone, says, os.dup(2))
        os.close(says)
        os.close(told)
        self.heard, self.tells = os.fdopen(heard), os.fdopen(tells, "w")

    def ended(self) -> int:
        """The exit code, once its input has ended."""
        self.tells.close()
        self.heard.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("number", [2, 4])
def test_of_runs_at_once_one_makes_the_result(number: int, clip: CutClip, tmp_path: Path) -> None:
    target = tmp_path / "out" / "x.mkv"
    target.parent.mkdir()
    runs: list[Racer] = []
    for tone in range(number):
        runs.append(Racer(clip.header.path, target, 10 * tone, runs))
    for one in runs:
        assert one.heard.readline() == "ready\n"
    for one in runs:
        one.tells.write("\n")
        one.tells.flush()
    answers = [one.heard.readline().strip() for one in runs]
    for one in runs:
        assert one.ended() == 0
    assert answers.count("done") == 1
    assert all("is being made by another run" in told for told in answers if told != "done")
    frames = frames_of(target)
    assert frames.shape[0] == 21
    assert np.unique(frames).tolist() == [10 * answers.index("done")]
    assert sorted(path.name for path in target.parent.iterdir()) == ["x.mkv"]


def test_the_state_tells_the_run_and_the_digests(clip: CutClip, tmp_path: Path) -> None:
    folder = stopped(clip, tmp_path / "x.mkv", after=1)
    state = json.loads((folder / "state.json").read_text())
    assert state["run"]["clip"] == stamp(clip.header.path)
    assert {suffix: len(digest) for suffix, digest in state["windows"]["0"].items()} == {
        ".mkv": 64,
        ".safetensors": 64,
    }
