"""Long clips from file to file: in windows, with one window's memory, and never from the start again."""

import json
import logging
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, STOPPED, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.sampling.noise import FrameNoise
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
SOURCE = moving_square(21)
VERBS = {"edit": ("make it sepia", "--output"), "enhance": ("--out",)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "clip.mp4"
    write_video(Video(SOURCE, Fraction(8)), path, crf=0)
    return path


def command(verb: str, clip: Path, out: Path, models: Path, *options: object) -> list[str]:
    return [verb, str(clip), *VERBS[verb], str(out), "--models", str(models), *map(str, options), "--json"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_bytes(
    verb: str,
    clip: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, broken = tmp_path / "whole.mp4", tmp_path / "broken.mp4"
    assert main(command(verb, clip, whole, models_folder)) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["frames"], answer["windows"]) == (21, 4)
    assert read_video(whole, folder_fps=Fraction(1)).frames.shape == SOURCE.shape
    runner = {"edit": Editor, "enhance": Enhancer}[verb]
    usual, calls = runner.sample, []

    def stops(self: object, *args: object, **options: object) -> torch.Tensor:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return usual(self, *args, **options)

    monkeypatch.setattr(runner, "sample", stops)
    assert main(command(verb, clip, broken, models_folder)) == STOPPED
    said = json.loads(capsys.readouterr().out)["error"]
    assert said.startswith("stopped; 2 of 4 windows are finished and kept in ")
    assert not broken.exists()
    assert main(command(verb, clip, broken, models_folder)) == DONE
    assert len(calls) == 5  # the third window again, and the fourth
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "whole.mp4"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_result_without_loss_is_the_same_in_every_form(
    verb: str, clip: Path, models_folder: Path, tmp_path: Path
) -> None:
    options = ("--frames", 13, "--window-frames", 9)
    forms = {"x.mp4": ("--lossless",), "x.mkv": (), "lossy.mp4": ()}
    found = {}
    for name, form in forms.items():
        assert main(command(verb, clip, tmp_path / name, models_folder, *options, *form)) == DONE
        found[name] = read_video(tmp_path / name, folder_fps=Fraction(1)).frames
    assert np.array_equal(found["x.mp4"], found["x.mkv"])
    assert not np.array_equal(found["lossy.mp4"], found["x.mkv"])


def test_windows_start_from_one_noise_and_hand_over_finished_frames(
    clip: Path, models_folder: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, seen = Editor.render, []

    def render(self: Editor, clip: torch.Tensor, instruction: str, **options: object) -> torch.Tensor:
        result = usual(self, clip, instruction, **options)
        seen.append((clip.clone(), options))
        return result

    monkeypatch.setattr(Editor, "render", render)
    out = tmp_path / "x.mp4"
    assert main(command("edit", clip, out, models_folder, "--window-frames", 13, "--overlap", 5)) == DONE
    answer = json.loads(capsys.readouterr().out)
    (first, at_first), (second, at_second) = seen
    assert answer["windows"] == 2
    assert (at_first["seed"], at_second["seed"]) == (FrameNoise(0, 0), FrameNoise(0, 2))
    assert at_first["mask"] is None
    assert at_second["mask"][:, 0, 0].tolist() == [0] * 5 + [1] * 8
    source = read_video(clip, folder_fps=Fraction(1)).frames
    assert np.array_equal((second[5:] * 255).round().numpy(), source[13:])
    assert not np.array_equal((second[:5] * 255).round().numpy(), source[8:13])
    assert torch.equal(first, torch.from_numpy(source[:13].copy()).float() / 255)


def test_outside_the_mask_every_window_is_the_source(
    clip: Path, models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows without anything to edit are not worked on at all."""
    mask = np.zeros((32, 32), np.uint8)
    mask[4:12, 6:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    usual, calls = Editor.render, []

    def render(self: Editor, *args: object, **options: object) -> torch.Tensor:
        calls.append(options["seed"])
        return usual(self, *args, **options)

    monkeypatch.setattr(Editor, "render", render)
    kept: list[np.ndarray] = []
    # What goes into the codec, which loses a little of it.
    to_codec = "reelpatch.windows.window_run.write_video"
    monkeypatch.setattr(to_codec, lambda *_, pictures, **__: kept.extend(pictures))
    options = ("--mask", tmp_path / "mask.png", "--when", "2-10")
    assert main(command("edit", clip, tmp_path / "x.mp4", models_folder, *options)) == DONE
    assert calls == [FrameNoise(0, 0), FrameNoise(0, 1)]
    differs = (np.stack(kept) != read_video(clip, folder_fps=Fraction(1)).frames).any(-1)
    assert differs[2:11][:, mask > 0].mean() > 0.5
    assert not differs[:, mask == 0].any()
    assert not differs[11:].any()
    assert not differs[:2].any()


def test_a_mask_that_moves_is_read_window_by_window(
    clip: Path, models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    mask = np.zeros((21, 32, 32, 3), np.uint8)
    for index in range(21):
        mask[index, 8:16, index : index + 8] = 255
    write_video(Video(mask, Fraction(8)), tmp_path / "mask.mp4", crf=0)
    out = tmp_path / "x.mp4"
    options = ("--mask", tmp_path / "mask.mp4", "--crop", 4, "--feather", 2)
    assert main(command("edit", clip, out, models_folder, *options)) == DONE
    write_video(Video(mask[:20], Fraction(8)), tmp_path / "mask.mp4", crf=0)
    capsys.readouterr()
    assert main(command("edit", clip, out, models_folder, *options)) == BAD_INPUT
    assert "the mask has 20 frames" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("options", "windows", "frames"),
    [
        ((), 4, 21),
        (("--window-frames", 0), 1, 21),
        (("--frames", 13), 1, 13),
        (("--frames", 17, "--window-frames", 9, "--overlap", 1), 2, 17),
        (("--window-frames", 21), 1, 21),
    ],
)
def test_windows_are_there_for_long_clips_and_when_asked_for(
    options: tuple[object, ...],
    windows: int,
    frames: int,
    clip: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    out = tmp_path / "x.mp4"
    assert main(command("edit", clip, out, models_folder, "--steps", 1, *options)) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["windows"], answer["frames"]) == (windows, frames)
    assert len(read_video(out, folder_fps=Fraction(1)).frames) == frames


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window-frames", 8), "use 9 (--window-frames)"),
        (("--overlap", 4), "from 1 to 5"),
        (("--window-frames", 0, "--overlap", 5), "worked on whole: leave it out"),
        (("--frames", 50, "--window-frames", 9), "50 frames were asked for"),
        (("--frames", 18, "--window-frames", 9), "the fit 'pad'"),
        (("--grow", 2), "grow works on a mask"),
        (("--when", "15-40"), "does not lie in the clip"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    options: tuple[object, ...],
    message: str,
    clip: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    assert main(command("edit", clip, tmp_path / "x.mp4", models_folder, *options)) == BAD_INPUT
    assert message in json.loads(capsys.readouterr().out)["error"]
    assert list(tmp_path.iterdir()) == []


def test_another_run_does_not_take_up_what_was_kept(
    clip: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = tmp_path / "x.mp4"
    with monkeypatch.context() as patch:
        patch.setattr("reelpatch.windows.window_run._write", _interrupted)
        assert main(command("edit", clip, out, models_folder, "--steps", 1)) == STOPPED
    assert "4 of 4 windows" in json.loads(capsys.readouterr().out)["error"]
    logging.getLogger("reelpatch").propagate = True
    with caplog.at_level(logging.WARNING, logger="reelpatch"):
        assert main(command("edit", clip, out, models_folder, "--steps", 1, "--seed", 5)) == DONE
    assert "its seed differed" in capsys.readouterr().err + caplog.text


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
