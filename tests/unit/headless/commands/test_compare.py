"""The verb `compare`: both clips are in what it writes, each where it belongs."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.measure.side_by_side import contact_sheet, side_by_side, wipe
from reelpatch.media.clip_pair import Pair
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
BEFORE = moving_square(9, 32, 40)
AFTER = 255 - BEFORE
PAIR = Pair(Video(BEFORE, Fraction(8)), AFTER)


def test_side_by_side_holds_both_pixel_for_pixel() -> None:
    frames = side_by_side(PAIR).frames
    assert frames.shape == (9, 32, 84, 3)
    assert np.array_equal(frames[:, :, :40], BEFORE)
    assert np.array_equal(frames[:, :, 44:], AFTER)


def test_the_wipe_goes_from_before_to_after_and_back() -> None:
    frames = wipe(PAIR).frames
    assert np.array_equal(frames[0], BEFORE[0])
    assert np.array_equal(frames[4], AFTER[4])
    assert np.array_equal(frames[8], BEFORE[8])
    assert np.array_equal(frames[2, :, :19], BEFORE[2, :, :19])
    assert (frames[2, :, 19:21] == 255).all()
    assert np.array_equal(frames[2, :, 21:], AFTER[2, :, 21:])
    one = Pair(Video(BEFORE[:1], Fraction(8)), AFTER[:1])
    assert np.array_equal(wipe(one).frames, BEFORE[:1])


def test_the_sheet_shows_before_after_and_change() -> None:
    page = np.asarray(contact_sheet(PAIR, columns=3))
    first = page[34:, 92:]  # below the captions, right of the names
    scale = 6
    assert np.array_equal(first[: 32 * scale : scale, : 40 * scale : scale], BEFORE[0])
    second_row = first[32 * scale + 12 :]
    assert np.array_equal(second_row[: 32 * scale : scale, : 40 * scale : scale], AFTER[0])
    change = np.abs(BEFORE[8].astype(int) - AFTER[8]) * 4
    last = first[2 * (32 * scale + 12) :, 2 * (40 * scale + 12) :]
    assert np.array_equal(last[: 32 * scale : scale, : 40 * scale : scale], change.clip(0, 255))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compare")
    paths = folder / "before.mp4", folder / "after.mp4"
    for path, clip in zip(paths, (BEFORE, AFTER), strict=True):
        write_video(Video(clip, Fraction(30000, 1001)), path)
    return paths


@pytest.mark.parametrize(("mode", "width"), [("side", 84), ("wipe", 40)])
def test_the_verb_writes_film_and_sheet(
    mode: str, width: int, files: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    film, sheet = tmp_path / "x.mp4", tmp_path / "x.png"
    run = ["compare", *map(str, files), "--out", str(film), "--mode", mode, "--sheet", str(sheet), "--json"]
    assert main(run) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"frames": 9, "mode": mode, "out": str(film), "sheet": str(sheet)}
    video = read_video(film, folder_fps=Fraction(1))
    assert video.frames.shape == (9, 32, width, 3)
    assert video.fps == Fraction(30000, 1001)
    with Image.open(sheet) as image:
        assert image.format == "PNG"
    assert sorted(tmp_path.iterdir()) == [film, sheet]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing was asked for"),
        (["--out", "x.avi"], "(--out)"),
        (["--sheet", "x.jpg"], "(--sheet)"),
        (["--out", "no/x.mp4"], "does not exist"),
        (["--out", "BEFORE"], "never overwritten"),
        (["--out", "x.mp4", "--mode", "both"], "--mode"),
    ],
)
def test_what_cannot_be_written_is_refused(
    options: list[str],
    words: str,
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(files[0]) if one == "BEFORE" else one for one in options]
    assert main(["compare", *map(str, files), *given]) == BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not list(tmp_path.iterdir())


def test_clips_that_differ_are_refused(files: tuple[Path, Path], tmp_path: Path, capsys: Captured) -> None:
    short = tmp_path / "short.mp4"
    write_video(Video(AFTER[:5], Fraction(8)), short)
    assert main(["compare", str(files[0]), str(short), "--out", str(tmp_path / "x.mp4")]) == BAD_INPUT
    assert "9 frames of 40x32 and AFTER" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [short]
