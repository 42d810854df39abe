"""An edit with a mask track: what lies before its start is the source bit for bit, whole and in windows."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import Envelope, Linear, MaskTrack, Region, Whole
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.worked_clip import Finishing
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
FRAMES, FPS = 9, Fraction(24000, 1001)
BOX = {"kind": "box", "centre": [0.5, 0.5], "size": [0.5, 0.5]}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("track") / "clip.mkv"
    write_video(Video(moving_square(FRAMES, 32, 48), FPS), path)
    return path


@pytest.fixture
def track(tmp_path: Path) -> Callable[..., Path]:
    def write(*regions: dict[str, Any], **more: Any) -> Path:
        path = tmp_path / "track.json"
        head = {"mask_track": 1, "units": "fractions", "times": "seconds", "regions": regions}
        path.write_text(json.dumps(head | more))
        return path

    return write


def frames(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames


def edit(clip: Path, models: Path | None, output: Path, *more: object) -> int:
    usual = ["--models", models, "--steps", 1] if models else []
    arguments = ["edit", clip, "make it sepia", "--output", output, *usual, *more, "--json"]
    return main([str(one) for one in arguments])


@pytest.mark.parametrize("windows", [(), ("--window-frames", 5, "--overlap", 1)], ids=["whole", "windows"])
def test_frames_before_the_start_are_the_source_bit_for_bit(
    clip: Path, track: Callable[..., Path], models_folder: Path, tmp_path: Path, windows: tuple[object, ...]
) -> None:
    """The start is that of frame 6, in seconds of an NTSC film: exactly that frame is the first one edited."""
    start = track({"shape": BOX, "envelope": {"start": str(6 / FPS)}})
    assert edit(clip, models_folder, tmp_path / "x.mkv", "--mask", start, *windows) == DONE
    source, result = frames(clip), frames(tmp_path / "x.mkv")
    assert np.array_equal(result[:6], source[:6])
    assert all((one != other).any() for one, other in zip(result[6:], source[6:], strict=True))
    outside = np.ones((32, 48), bool)
    outside[8:24, 12:36] = False
    assert np.array_equal(result[:, outside], source[:, outside])


def test_a_ramp_goes_from_the_source_to_the_edit() -> None:
    """Pasted back, V' = source before the start, a mix along the ramp, and the edit after it."""
    ramp = Envelope(2, Linear(4))
    track = MaskTrack(1, "pixels", "frames", (Region(Whole(), envelope=ramp),))
    mask = TrackRenderer(track, (16, 16), Moments(FRAMES, FPS)).part(0, FRAMES)
    assert mask[:, 0, 0].tolist() == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    source, edited = torch.rand(2, FRAMES, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    result = Finishing().part_of(source, mask, WAN.lattice).finished(edited)
    assert torch.equal(result[:3], source[:3])
    assert torch.equal(result[6:], edited[6:])
    torch.testing.assert_close(result[4], (source[4] + edited[4]) / 2)


@pytest.mark.parametrize("windows", [(), ("--window-frames", 5, "--overlap", 1)], ids=["whole", "windows"])
@pytest.mark.parametrize("more", [("--crop",)], ids=["crop"])
def test_an_empty_track_gives_the_source_back_and_says_so(
    clip: Path,
    track: Callable[..., Path],
    models_folder: Path,
    tmp_path: Path,
    capsys: Captured,
    windows: tuple[object, ...],
    more: tuple[object, ...],
) -> None:
    late = track({"shape": BOX, "envelope": {"start": 60}})
    assert edit(clip, models_folder, tmp_path / "x.mkv", "--mask", late, *windows, *more) == DONE
    assert np.array_equal(frames(tmp_path / "x.mkv"), frames(clip))
    assert "empty everywhere in this clip: the source is given back" in capsys.readouterr().err


def test_a_track_takes_masks_from_files_and_moves_them(
    clip: Path, track: Callable[..., Path], models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    picture = np.zeros((32, 48), np.uint8)
    picture[10:20, 10:20] = 255
    Image.fromarray(picture).save(tmp_path / "cat.png")
    moved = track(
        {
            "shape": {"kind": "masks", "file": "cat.png"},
            "envelope": {"start": 4},
            "keyframes": [{"at": 0, "position": [24, 16]}, {"at": 8, "position": [32, 16]}],
        },
        times="frames",
        units="pixels",
    )
    assert edit(clip, models_folder, tmp_path / "x.mkv", "--mask", moved) == DONE
    assert "The mask cat.png is taken from its brightness" in capsys.readouterr().err
    source, result = frames(clip), frames(tmp_path / "x.mkv")
    differs = (source != result).any(-1)
    assert not differs[:4].any()
    rows, columns = np.nonzero(differs[8])
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (10, 20, 18, 28)
    assert edit(clip, models_folder, tmp_path / "cat.png", "--mask", moved) == BAD_INPUT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"mask_track": 9}', "another version"),
        (" " * 50_000_000, "longer than 1 MB"),
        (
            '{"mask_track": 1, "units": "pixels", "times": "frames", "regions": [{"shape": {"kind": "masks"}}]}',
            "name their file",
        ),
    ],
)
def test_what_is_no_track_is_refused_before_any_work(
    clip: Path, tmp_path: Path, models_folder: Path, capsys: Captured, text: str, sentence: str
) -> None:
    path = tmp_path / "track.json"
    path.write_text(text)
    assert edit(clip, models_folder, tmp_path / "x.mkv", "--mask", path) == BAD_INPUT
    assert sentence in json.loads(capsys.readouterr().out)["error"]
    assert not (tmp_path / "x.mkv").exists()


def test_how_pictures_are_meant_is_not_asked_of_a_track(
    clip: Path, track: Callable[..., Path], tmp_path: Path, models_folder: Path, capsys: Captured
) -> None:
    path = track({"shape": BOX})
    assert edit(clip, models_folder, tmp_path / "x.mkv", "--mask", path, "--mask-channel", "red") == BAD_INPUT
    assert "the mask is a track, which says it itself" in capsys.readouterr().out


def test_tasks_and_measures_take_a_track_too(
    clip: Path, track: Callable[..., Path], models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    """A task makes up what the track covers: half the picture in two thirds of the frames; a measure looks outside of it."""
    left = {"kind": "box", "centre": [0.25, 0.5], "size": [0.5, 1]}
    path = track({"shape": left, "envelope": {"start": str(3 / FPS)}})
    task = ["task", "inpaint", "a street", "--clip", clip, "--mask", path, "--preview", tmp_path / "x.png"]
    size = ["--size", "48x32", "--frames", 9, "--models", models_folder, "--json"]
    assert main([str(one) for one in (*task, *size)]) == DONE
    assert json.loads(capsys.readouterr().out)["made_up"] == pytest.approx(1 / 3, abs=0.01)
    changed = frames(clip).copy()
    changed[3:, :, :24] = 255 - changed[3:, :, :24]
    write_video(Video(changed, FPS), tmp_path / "after.mkv")
    measure = ["measure", clip, tmp_path / "after.mkv", "--mask", path, "--json"]
    assert main([str(one) for one in measure]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert found["outside"]["values_changed"] == 0
    assert found["inside"]["change_levels"] > 50


def test_an_empty_track_is_nothing_to_make_up(
    clip: Path, track: Callable[..., Path], models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    late = track({"shape": BOX, "envelope": {"start": 60}})
    task = ["task", "inpaint", "a street", "--clip", clip, "--mask", late, "--preview", tmp_path / "x.png"]
    size = ["--size", "48x32", "--frames", 9, "--models", models_folder, "--json"]
    assert main([str(one) for one in (*task, *size)]) == BAD_INPUT
    assert "the mask is 0 everywhere" in capsys.readouterr().out
