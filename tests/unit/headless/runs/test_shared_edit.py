"""Edits of a clip by two captions, from file to file."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe

Captured = pytest.CaptureFixture[str]
RECIPE = ("--recipe", "demo-shared-attention", "--steps", "2", "--device", "cpu")
BEFORE, AFTER = "red circle", "blue circle"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mkv"
    frames = (scenes.example(5, kind="recolour", num_things=1).source * 255).round().astype(np.uint8)
    write_video(Video(frames, Fraction(8)), path)
    return path


def frames(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames


def edit(clip: Path, target: Path, *more: Any) -> int:
    words = ("edit", clip, AFTER, *RECIPE, "--output", target, *more)
    return main([*map(str, words), "--json"])


def test_a_clip_is_edited_by_two_captions(clip: Path, tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "out.mkv"
    assert edit(clip, target, "--caption", BEFORE, "--change", "colour") == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["recipe"], answer["frames"], answer["steps"]) == ("demo-shared-attention", 9, 2)
    made = frames(target)
    assert edit(clip, target, "--caption", BEFORE, "--change", "colour") == DONE
    assert np.array_equal(frames(target), made)
    for more in (
        ("--caption", "green circle", "--change", "colour"),
        ("--caption", BEFORE, "--change", "none"),
    ):
        assert edit(clip, target, *more) == DONE
        assert not np.array_equal(frames(target), made)


def test_frames_before_the_time_range_stay_and_the_edit_begins_behind_them(
    clip: Path, tmp_path: Path
) -> None:
    whole, late = tmp_path / "whole.mkv", tmp_path / "late.mkv"
    assert edit(clip, whole, "--caption", BEFORE) == DONE
    assert edit(clip, late, "--caption", BEFORE, "--when", "5-8") == DONE
    source = frames(clip)
    assert np.array_equal(frames(late)[:5], source[:5])
    assert not np.array_equal(frames(late)[5:], source[5:])
    # It is another edit than the whole one cut off: its first latent frames were the source's all along.
    assert not np.array_equal(frames(late)[5:], frames(whole)[5:])


def test_the_editor_keeps_the_latents_before_the_onset(clip: Path) -> None:
    editor = Editor(recipe("demo-shared-attention").planned_for(2), device="cpu")
    source = to_floats(frames(clip))
    mask = torch.zeros(source.shape[:3])
    mask[5:] = 1
    made = editor.render(source, AFTER, mask=mask, caption=BEFORE)
    through_vae = editor.vae.decode(editor.vae.encode(2 * source.permute(3, 0, 1, 2) - 1))
    expected = ((through_vae + 1) / 2).clamp(0, 1).permute(1, 2, 3, 0)
    # The decoder is causal: the frames of equal latents are equal, whatever comes behind them.
    assert float((made[:5] - expected[:5]).abs().max()) < 1e-4
    assert float((made[5:] - expected[5:]).abs().max()) > 1e-2


def test_a_long_clip_goes_on_from_its_finished_frames(tmp_path: Path) -> None:
    clip, target = tmp_path / "long.mkv", tmp_path / "out.mkv"
    part = (scenes.example(7, kind="recolour", num_things=1).source * 255).round().astype(np.uint8)
    write_video(Video(np.concatenate([part, part[::-1][1:]]), Fraction(8)), clip)
    assert edit(clip, target, "--caption", BEFORE, "--window-frames", "9", "--overlap", "5") == DONE
    assert frames(target).shape == (17, 64, 64, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((AFTER, *RECIPE), "compares two captions, but none of the clip as it is was given: say what it shows (--caption)"),
        ((AFTER, "--caption", BEFORE), "the recipe 'demo' reads an instruction alone: leave it out"),
        (("make it sepia", "--change", "colour"), "the recipe 'demo' has one way for all of them"),
        ((AFTER, *RECIPE, "--caption", BEFORE, "--change", "color"), "there is no kind of change 'color'"),
        ((AFTER, *RECIPE, "--caption", "zebra"), "the demo does not know 'zebra'"),
        ((AFTER, *RECIPE, "--caption", BEFORE, "--strength", "0.5"), "the strength is 0.5"),
        ((AFTER, *RECIPE, "--caption", BEFORE, "--reference", "CLIP"), "references were given"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], said: str, clip: Path, tmp_path: Path, capsys: Captured
) -> None:
    still = tmp_path / "still.png"
    from PIL import Image

    Image.fromarray(frames(clip)[0]).save(still)
    given = [str(still) if word == "CLIP" else word for word in words]
    assert main(["edit", str(clip), *given, "--output", str(tmp_path / "out.mkv")]) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_file_of_edits_takes_no_caption(clip: Path, tmp_path: Path, capsys: Captured) -> None:
    edits = tmp_path / "edits.json"
    edits.write_text('[{"instruction": "blue circle"}]')
    assert main(["edit", str(clip), "--edits", str(edits), *RECIPE, "--caption", BEFORE]) == BAD_INPUT
    assert "a caption was given beside a file of edits" in capsys.readouterr().err


def test_it_lays_out_no_task(clip: Path, capsys: Captured) -> None:
    words = ["task", "inpaint", AFTER, "--clip", str(clip), "--box", "1,1,9,9", *RECIPE]
    assert main(words) == BAD_INPUT
    assert "compares two captions of a clip and lays out no task" in capsys.readouterr().err


def test_its_page_says_what_is_shared(capsys: Captured) -> None:
    assert main(["recipes", "shared-attention"]) == DONE
    told = capsys.readouterr().out
    assert (
        "shared for local: swap-kv early, concat-kv middle; early above noise 0.9375, middle above 0.7292"
        in told
    )
