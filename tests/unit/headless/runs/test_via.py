"""`reelpatch edit --via`: frame 0 is edited as a picture first, written beside the result, and the clip follows it."""

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.picture_editor import EditedPicture, PictureEditor
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import RECIPES
from tests.conftest import moving_square
from tests.unit.headless.runs.test_picture import write_models

Captured = pytest.CaptureFixture[str]
FRAMES = moving_square(9)
VIA = ("--via", "chronoedit-8step")


@pytest.fixture(scope="module")
def models(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the demo and of the recipes for pictures."""
    folder = write_models(tmp_path_factory.mktemp("both"), models_folder)
    for place in ("diffusion_models", "loras", "text_encoders"):
        for file in (models_folder / place).iterdir():
            (folder / place / file.name).symlink_to(file)
    return folder


@pytest.fixture
def is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture's recipe with few pixels and steps, for the time that it takes."""
    record = RECIPES["chronoedit-8step"]
    monkeypatch.setitem(RECIPES, record.name, replace(record, width=32, height=32, steps=2))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the picture's model is asked for; in its place the picture comes back inverted."""
    calls: list[dict[str, Any]] = []

    def edit(_self: PictureEditor, picture: torch.Tensor, instruction: str, **options: Any) -> EditedPicture:
        calls.append({"picture": picture, "instruction": instruction, **options})
        return EditedPicture(1 - picture, picture[None])

    monkeypatch.setattr(PictureEditor, "edit", edit)
    return calls


def run(clip: Path, models: Path, *options: object) -> int:
    named = (
        "edit",
        clip,
        "make it sepia",
        "--models",
        models,
        "--json",
        "--output",
        clip.with_name("out.mkv"),
    )
    return main(list(map(str, (*named, *options))))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def frames(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames


@pytest.mark.usefixtures("is_small")
def test_frame_0_is_edited_by_the_picture_s_own_model_and_kept(
    clip: Path, models: Path, capsys: Captured
) -> None:
    """With real weights of both kinds, of random numbers; the picture is given back by what it says of itself."""
    assert run(clip, models, *VIA) == DONE
    answer, said = capsys.readouterr()
    picture = clip.with_name("out_frame0.png")
    assert json.loads(answer)["picture"] == str(picture)
    made = frames(clip.with_name("out.mkv"))
    assert np.array_equal(made[0], pixels(picture))
    assert made.shape == FRAMES.shape
    assert not np.array_equal(made[0], FRAMES[0])
    assert f"look at {picture}" in said
    assert said.index("Recipe demo") < said.index("Recipe chronoedit-8step") < said.index("look at")


@pytest.mark.usefixtures("is_small")
def test_given_as_the_first_frame_it_makes_the_same_clip(clip: Path, models: Path) -> None:
    assert run(clip, models, *VIA) == DONE
    made = frames(clip.with_name("out.mkv"))
    assert run(clip, models, "--first-frame", clip.with_name("out_frame0.png")) == DONE
    assert np.array_equal(frames(clip.with_name("out.mkv")), made)


def test_the_instruction_and_the_seed_are_the_same(
    clip: Path, models: Path, asked: list[dict[str, Any]]
) -> None:
    assert run(clip, models, *VIA, "--seed", 7, "--steps", 2) == DONE
    (one,) = asked
    assert (one["instruction"], one["seed"]) == ("make it sepia", 7)
    assert np.array_equal((one["picture"] * 255).round().byte().numpy(), FRAMES[0])
    assert np.array_equal(frames(clip.with_name("out.mkv"))[0], 255 - FRAMES[0])


def test_outside_a_mask_the_frame_stays(clip: Path, models: Path, asked: list[dict[str, Any]]) -> None:
    mask = np.zeros(FRAMES.shape[1:3], np.uint8)
    mask[:, :16] = 255
    Image.fromarray(mask).save(clip.with_name("mask.png"))
    assert run(clip, models, *VIA, "--mask", clip.with_name("mask.png")) == DONE
    assert len(asked) == 1
    made = frames(clip.with_name("out.mkv"))
    assert np.array_equal(made[0, :, :16], 255 - FRAMES[0, :, :16])
    assert np.array_equal(made[:, :, 16:], FRAMES[:, :, 16:])


def test_another_frame_is_edited_and_kept_with_the_mask_of_its_moment(
    clip: Path, models: Path, asked: list[dict[str, Any]]
) -> None:
    masks = np.zeros((9, *FRAMES.shape[1:]), np.uint8)
    masks[:, :, :16], masks[6, :, :16], masks[6, :, 16:] = 255, 0, 255
    write_video(Video(masks, Fraction(8)), clip.with_name("mask.mkv"))
    assert run(clip, models, *VIA, "--at-frame", 6, "--mask", clip.with_name("mask.mkv")) == DONE
    (one,) = asked
    assert np.array_equal((one["picture"] * 255).round().byte().numpy(), FRAMES[6])
    assert not clip.with_name("out_frame0.png").exists()
    made = frames(clip.with_name("out.mkv"))
    assert np.array_equal(made[6], pixels(clip.with_name("out_frame6.png")))
    assert np.array_equal(made[6, :, 16:], 255 - FRAMES[6, :, 16:])
    assert np.array_equal(made[6, :, :16], FRAMES[6, :, :16])
    assert np.array_equal(made[5, :, 16:], FRAMES[5, :, 16:])
    given = ("--first-frame", clip.with_name("out_frame6.png"), "--at-frame", 6)
    assert run(clip, models, *given, "--mask", clip.with_name("mask.mkv")) == DONE
    assert np.array_equal(frames(clip.with_name("out.mkv")), made)


def test_a_run_that_was_stopped_goes_on_with_the_picture_that_it_made(
    clip: Path, models: Path, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(Video(moving_square(17), Fraction(8)), clip)
    lengths: list[int] = []

    def render(_self: Editor, clip: torch.Tensor, *_args: Any, **_options: Any) -> torch.Tensor:
        if len(lengths) == 1:
            lengths.append(0)
            raise KeyboardInterrupt
        lengths.append(len(clip))
        return 1 - clip

    monkeypatch.setattr(Editor, "render", render)
    assert run(clip, models, *VIA) not in (DONE, BAD_INPUT)
    assert run(clip, models, "--first-frame", clip.with_name("out_frame0.png")) == DONE
    assert len(asked) == 1
    first, _, *others = lengths
    assert first > 9  # the only one that the picture stands in front of
    assert others == [9, 9]
    assert np.array_equal(frames(clip.with_name("out.mkv"))[0], 255 - FRAMES[0])


REFUSALS = {
    "a first frame too": (
        (*VIA, "--first-frame", "clip.png"),
        r"leave one of the two out.*--first-frame, --via",
    ),
    "a recipe for clips": (("--via", "vace"), r"'vace' edits no single pictures.*--via"),
    "an unknown one": (("--via", "nothing"), r"nothing.*--via"),
    "one with its own sentence": (("--via", "chronoedit-upscale"), r"instruction of its own.*--via"),
    "a recipe that cannot follow": ((*VIA, "--recipe", "videocof"), r"'videocof' cannot follow.*--via"),
    "frame 0 left as it is": ((*VIA, "--when", "2-5"), r"leaves frame 0 as it is.*--via"),
    "another frame left as it is": (
        (*VIA, "--at-frame", 6, "--when", "2-5"),
        r"leaves frame 6 as it is.*--via",
    ),
    "a frame that is not there": ((*VIA, "--at-frame", 20), r"frame 20 was named, but the clip has 9"),
    "one frame alone": ((*VIA, "--frames", 1), "nothing is left to follow"),
    "a picture that is an input": ((*VIA, "--reference", "out_frame0.png"), "out_frame0.png"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_is_said_before_weights_are_read(
    case: str,
    clip: Path,
    models: Path,
    asked: list[dict[str, Any]],
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(clip.parent)
    monkeypatch.setattr(Editor, "render", lambda *_args, **_options: pytest.fail("the clip was worked on"))
    for name in ("clip.png", "out_frame0.png"):
        Image.fromarray(FRAMES[0]).save(clip.with_name(name))
    before = {path: path.read_bytes() for path in clip.parent.iterdir()}
    options, words = REFUSALS[case]
    assert run(clip, models, *options) == BAD_INPUT
    assert re.search(words, json.loads(capsys.readouterr().out)["error"])
    assert not asked
    assert {path: path.read_bytes() for path in clip.parent.iterdir()} == before


def test_models_that_are_missing_are_said_before_the_other_s_are_read(
    clip: Path, models_folder: Path, capsys: Captured
) -> None:
    assert run(clip, models_folder, *VIA) == BAD_INPUT
    assert "chrono_edit_14B_fp16.safetensors" in json.loads(capsys.readouterr().out)["error"]
    assert not clip.with_name("out_frame0.png").exists()


def test_a_file_of_edits_has_no_one_picture(clip: Path, models: Path, capsys: Captured) -> None:
    edits = clip.with_name("edits.json")
    edits.write_text(json.dumps([{"instruction": "make it sepia"}]))
    named = ("edit", clip, "--edits", edits, "--models", models, "--json", *VIA)
    assert main(list(map(str, named))) == BAD_INPUT
    assert "several instructions" in json.loads(capsys.readouterr().out)["error"]
