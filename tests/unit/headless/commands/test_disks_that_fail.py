"""Disks that are full, read-only or gone, and odd films: one sentence, exit code 2, and finished work is kept."""

import errno
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import BAD_INPUT, UNEXPECTED, main
from reelpatch.media.film_rate import as_written
from reelpatch.media.frame_reader import look_through
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.progress import silent
from reelpatch.windows.plan_windows import plan_windows
from reelpatch.windows.window_run import CutClip, WindowJob, run_windows
from reelpatch.windows.window_store import FinishedWindow
from tests.conftest import moving_square
from tests.forked import forked

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _caches_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def clip(tmp_path: Path) -> CutClip:
    path = tmp_path / "clip.mkv"
    write_video(Video(moving_square(21), Fraction(8)), path)
    return CutClip(look_through(path, folder_fps=Fraction(1)), plan_windows(21, 9, 5, lattice=WAN.lattice))


def run(
    clip: CutClip, target: Path, at_third: Callable[[], object], num_carried_bytes: int = 10
) -> list[int]:
    """The windows that were made; something happens while the third is, once the second is kept."""
    made: list[int] = []
    state = target.with_name(f"{target.name}.windows") / "state.json"

    def work(job: WindowJob, _on_progress: object) -> FinishedWindow:
        made.append(job.number)
        if job.number == 2:
            while "1" not in json.loads(state.read_text())["windows"]:  # it is kept beside this work
                time.sleep(0.01)
            at_third()
        pictures = job.pictures[5 if job.number else 0 :]
        return FinishedWindow(pictures, {"x": torch.zeros(num_carried_bytes, dtype=torch.uint8)})

    run_windows(clip, target, {}, work, silent)
    return made


@pytest.mark.parametrize("num_carried_bytes", [10, 50_000])
def test_a_limit_of_size_is_a_sentence_and_the_run_goes_on_from_there(
    num_carried_bytes: int, clip: CutClip, tmp_path: Path
) -> None:
    """By the system itself, which sends a signal too: of pictures, and of what is carried to the next window."""
    target = tmp_path / "out" / "x.mkv"
    target.parent.mkdir()

    def limited() -> int:
        limit = 1000 if num_carried_bytes < 1000 else 20_000
        try:
            run(
                clip,
                target,
                lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
                num_carried_bytes,
            )
        except BadInput as error:
            sys.stdout.write(str(error))
            return BAD_INPUT
        return 0

    (ended,) = forked([("limited", limited)])
    kind = "mkv" if num_carried_bytes < 1000 else "safetensors"
    assert ended.code == BAD_INPUT, ended.err
    assert f"there is no room left to write {target}.windows/00002.{kind}: free some" in ended.out
    assert run(clip, target, lambda: None, num_carried_bytes) == [2, 3]
    assert [path.name for path in target.parent.iterdir()] == ["x.mkv"]


@pytest.mark.parametrize("gone", ["x.mkv.windows", "."])
def test_a_folder_that_is_taken_away_during_the_run_is_a_sentence(
    gone: str, clip: CutClip, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "x.mkv"
    target.parent.mkdir()
    with pytest.raises(BadInput, match=r"x.mkv.windows, where finished windows are kept, was taken away"):
        run(clip, target, lambda: shutil.rmtree(target.parent / gone))
    target.parent.mkdir(exist_ok=True)
    assert set(run(clip, target, lambda: None)) >= {0, 1}  # the others may have been kept elsewhere
    assert np.array_equal(read_video(target, folder_fps=Fraction(1)).frames, moving_square(21))


def test_a_result_that_has_no_place_any_more_leaves_its_windows(clip: CutClip, tmp_path: Path) -> None:
    target = tmp_path / "x.mkv"
    with pytest.raises(BadInput, match=r"x\.mkv cannot be written"):
        run(clip, target, (target / "a folder that came in").mkdir if target.mkdir() else lambda: None)
    shutil.rmtree(target)
    assert run(clip, target, lambda: None) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/sys takes no files on Linux")
@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "frames"])
def test_a_place_that_takes_no_files_is_refused_before_work(
    name: str, clip_path: Path, capsys: Captured
) -> None:
    assert main(["edit", str(clip_path), "make it sepia", "--output", f"/sys/{name}", "--json"]) == BAD_INPUT
    assert f"/sys/{name} cannot be written (" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, BAD_INPUT), (errno.EROFS, BAD_INPUT), (None, UNEXPECTED)]
)
def test_a_disk_that_fails_anywhere_is_no_defect(
    number: int | None, code: int, clip_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, "the disk fails", "/mnt/x") if number else OSError("no errno")

    monkeypatch.setattr("reelpatch.headless.runs.edit.run_edit", fails)
    assert main(["edit", str(clip_path), "x", "--json"]) == code
    said = json.loads(capsys.readouterr().out)["error"]
    assert code == UNEXPECTED or said.startswith(
        "/mnt/x could not be read or written (the disk fails): see that"
    )


def write_avi(path: Path, title: bytes, rate: Fraction = Fraction(8)) -> Path:
    """A film with a title of those bytes, as ordinary old AVIs have them in Latin-1."""
    with av.open(path, "w") as output:
        output.metadata["title"] = "x" * len(title)
        stream = output.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for picture in moving_square(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"x" * len(title), title))
    return path


@pytest.mark.parametrize(
    "title", ["Été à la mer".encode("latin-1"), "夏の海".encode("shift_jis"), b"\xff\xfe\x00x"]
)
def test_titles_that_are_not_utf_8_are_no_hindrance(title: bytes, tmp_path: Path) -> None:
    path = write_avi(tmp_path / "x.avi", title)
    assert title in path.read_bytes()
    video = read_video(path, folder_fps=Fraction(1))
    assert video.frames.shape == (5, 32, 32, 3)
    write_video(video, tmp_path / "y.mp4")
    assert look_through(path, folder_fps=Fraction(1)).num_frames == 5


@pytest.mark.parametrize("pause_s", [10**6, 10**9])
def test_a_film_of_a_frame_in_many_days_is_refused(pause_s: int, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "x.mkv"
    write_video(Video(moving_square(3), Fraction(1, pause_s)), path)
    command = ["edit", str(path), "make it sepia", "--output", str(tmp_path / "y.mp4"), "--fit", "--json"]
    assert main(command) == BAD_INPUT
    assert f"x.mkv shows one frame for {pause_s:g} s; what can be written" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv"])
@pytest.mark.parametrize("is_even", [True, False])
def test_the_slowest_film_that_is_read_can_be_written(name: str, is_even: bool, tmp_path: Path) -> None:
    times = None if is_even else tuple(Fraction(3600 * index - (index % 3) * 1000) for index in range(9))
    video = Video(moving_square(9), Fraction(1, 3600), times_s=times)
    write_video(video, tmp_path / name)
    again = read_video(tmp_path / name, folder_fps=Fraction(1))
    assert len(again.frames) == 9
    assert again.times_s == times


@pytest.mark.parametrize(
    "fps",
    [Fraction(48 * 10**9, 1234567891), Fraction(10**12 + 1, 10**12), Fraction(1, 3), Fraction(30000, 1001)],
)
def test_rates_are_written_as_near_as_there_is_a_number(fps: Fraction, tmp_path: Path) -> None:
    written = as_written(fps)
    assert max(written.numerator, written.denominator) < 2**31
    # Nearer than 2^-31 of a fraction whose halves are below that.
    assert abs(written / fps - 1) < Fraction(1, 2**30)
    assert as_written(Fraction(30000, 1001)) == Fraction(30000, 1001)
    write_video(Video(moving_square(2), fps), tmp_path / "x.mp4")
    assert np.isclose(
        float(read_video(tmp_path / "x.mp4", folder_fps=Fraction(1)).fps), float(fps), rtol=1e-4
    )
