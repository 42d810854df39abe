"""When writing fails all the same, what was made is kept and named, the output is blamed, and the same command goes on."""

import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from threading import Event

import pytest
import torch

from reelpatch.headless.commands.main import BAD_INPUT, DONE, STOPPED, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress
from reelpatch.windows.edit_window import EditWindow
from reelpatch.windows.window_run import WindowJob
from reelpatch.windows.window_store import FinishedWindow, WindowStore
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
Failing = Callable[[Path], None]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(Video(moving_square(13), Fraction(8)), path, crf=0)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def take_folder_away(out: Path) -> None:
    shutil.rmtree(out.parent)


def take_place(out: Path) -> None:
    """Somebody else makes a folder of that name."""
    out.mkdir()
    (out / "file").touch()


def repair(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(exist_ok=True)


class Runs:
    """Counts how often the model works, and lets something happen after a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num_done, self.happens = 0, {}
        for runner in (Editor, Enhancer):
            monkeypatch.setattr(runner, "sample", self._counted(runner.sample))

    def after(self, number: int, happens: Callable[[], None]) -> None:
        self.happens[number] = happens

    def _counted(self, usual: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def sample(*args: object, **options: object) -> torch.Tensor:
            made = usual(*args, **options)
            self.num_done += 1
            self.happens.pop(self.num_done, lambda: None)()
            return made

        return sample


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


def command(verb: str, clip: Path, out: Path, models: Path, *more: str) -> list[str]:
    verbs = {
        "edit": ("edit", str(clip), "make it sepia", "--output", str(out), "--frames", "9"),
        "enhance": ("enhance", str(clip), "--out", str(out), "--frames", "9", "--steps", "1"),
        "task": ("task", "control", "sepia", "--clip", str(clip), "--frames", "9", "--size", "32x32", "--output", str(out)),
        "windows": ("edit", str(clip), "make it sepia", "--output", str(out), "--window-frames", "9"),
    }  # fmt: skip
    steps = () if verb == "enhance" else ("--steps", "1")
    return [*verbs[verb], *steps, "--models", str(models), "--json", *more]


@pytest.mark.parametrize(
    "case",
    [
        ("edit", take_folder_away, "x.mp4"),
        ("edit", take_place, "x"),
        ("enhance", take_place, "x.mp4"),
        ("task", take_place, "x.mp4"),
        ("windows", take_place, "x.mp4"),
    ],
    ids=lambda case: f"{case[0]}-{case[1].__name__}-{case[2]}",
)
def test_the_same_command_goes_on_where_writing_failed(
    case: tuple[str, Failing, str],
    clip: Path,
    models_folder: Path,
    runs: Runs,
    capsys: Captured,
) -> None:
    (verb, fails, name), cache = case, clip.parent / "cache"
    folder = clip.parent / "out"
    folder.mkdir()
    out = folder / name
    asked = command(verb, clip, out, models_folder)
    num_windows = 2 if verb == "windows" else 1
    runs.after(num_windows, lambda: fails(out))
    assert main(asked) == BAD_INPUT
    said = json.loads(capsys.readouterr().out)["error"]
    assert str(out.parent) in said
    assert str(clip) not in said
    (kept,) = [path for place in (folder, cache) for path in place.rglob("*.windows")]
    assert f"kept in {kept}: the same command goes on from there." in said
    repair(out)
    assert main(asked) == DONE
    assert runs.num_done == num_windows
    assert [path for place in (folder, cache) for path in place.rglob("*.windows")] == []
    whole = folder / f"whole{out.suffix}"
    assert main(command(verb, clip, whole, models_folder)) == DONE
    if out.is_dir():
        assert [path.read_bytes() for path in sorted(out.iterdir())] == [
            path.read_bytes() for path in sorted(whole.iterdir())
        ]
    else:
        assert out.read_bytes() == whole.read_bytes()


def test_another_command_does_not_take_it_up_and_does_not_throw_it_away(
    clip: Path, models_folder: Path, runs: Runs, capsys: Captured
) -> None:
    out = clip.parent / "x.mp4"
    runs.after(1, lambda: take_place(out))
    assert main(command("edit", clip, out, models_folder)) == BAD_INPUT
    repair(out)
    assert main(command("edit", clip, out, models_folder, "--seed", "5")) == DONE
    assert runs.num_done == 2
    assert len(list(clip.parent.glob("*.windows"))) == 1
    assert main(command("edit", clip, out, models_folder)) == DONE
    assert runs.num_done == 2
    capsys.readouterr()


def test_a_window_that_its_place_does_not_take_is_kept_elsewhere(
    clip: Path, models_folder: Path, runs: Runs, capsys: Captured, cache: Path
) -> None:
    out = clip.parent / "out" / "x.mp4"
    out.parent.mkdir()
    asked = command("windows", clip, out, models_folder)
    runs.after(2, lambda: (first_is_kept(out), take_folder_away(out)))
    assert main(asked) == BAD_INPUT
    said = json.loads(capsys.readouterr().out)["error"]
    (kept,) = cache.rglob("*.windows")
    assert f"Window 2 is finished and kept in {kept}: the same command goes on from there." in said
    repair(out)
    assert main(asked) == DONE
    assert runs.num_done == 3  # the first, which was in the folder, once more
    assert list(cache.rglob("*.windows")) == []


def first_is_kept(out: Path) -> None:
    """Waits until the first window, which is kept while the second is made, is in the folder."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        with suppress(OSError, ValueError):
            if "0" in json.loads((out.parent / "x.mp4.windows" / "state.json").read_text())["windows"]:
                return
        time.sleep(0.01)
    raise TimeoutError("the first window was not kept")


def test_a_window_that_was_made_while_the_one_before_could_not_be_kept_is_not_lost(
    clip: Path,
    models_folder: Path,
    runs: Runs,
    capsys: Captured,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = clip.parent / "out" / "x.mp4"
    out.parent.mkdir()
    asked, is_made = command("windows", clip, out, models_folder), Event()
    usual_add, usual_work = WindowStore.add, EditWindow.__call__

    def add(store: WindowStore, number: int, window: FinishedWindow) -> None:
        assert is_made.wait(300)
        usual_add(store, number, window)

    def work(edit: EditWindow, job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
        made = usual_work(edit, job, on_progress)
        if job.number == 1:
            take_folder_away(out)
            is_made.set()
        return made

    monkeypatch.setattr(WindowStore, "add", add)
    monkeypatch.setattr(EditWindow, "__call__", work)
    assert main(asked) == BAD_INPUT
    said = json.loads(capsys.readouterr().out)["error"]
    kept = list(cache.rglob("*.windows"))
    assert len(kept) == 2
    assert all(f"Window {number} is finished and kept in" in said for number in (1, 2))
    assert all(f"kept in {folder}: the same command goes on from there." in said for folder in kept)
    repair(out)
    assert main(asked) == DONE
    assert runs.num_done == 2
    assert list(cache.rglob("*.windows")) == []


def test_a_stop_while_the_result_is_written_loses_nothing(
    clip: Path, models_folder: Path, runs: Runs, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = clip.parent / "x.mp4"
    asked = command("edit", clip, out, models_folder)
    with monkeypatch.context() as patch:
        patch.setattr("reelpatch.windows.window_run.write_video", _interrupted)
        assert main(asked) == STOPPED
    assert "stopped; the finished pictures are kept in " in json.loads(capsys.readouterr().out)["error"]
    assert main(asked) == DONE
    assert runs.num_done == 1


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
