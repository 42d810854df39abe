"""A clip that follows its first frame: given as an edited picture, it stays to the bit, and the rest is made behind it."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.worked_clip import Finishing
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.edit import edit_owned
from reelpatch.headless.runs.first_frame import read_first_frame
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe
from tests.conftest import moving_square
from tests.unit.edits.canvas.test_canvas import tiny

Captured = pytest.CaptureFixture[str]
FRAMES = moving_square(9)
HELD = recipe("demo").held_frames


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mkv"
    write_video(Video(FRAMES, Fraction(8)), path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "edited.png"
    Image.fromarray(FRAMES[0][..., ::-1]).save(path)
    return path


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a model would be shown, call by call; in its place the clip comes back inverted."""
    calls: list[dict[str, Any]] = []

    def render(_self: Editor, clip: torch.Tensor, *_args: Any, **options: Any) -> torch.Tensor:
        calls.append({"clip": clip.clone(), **options})
        return 1 - clip

    monkeypatch.setattr(Editor, "render", render)
    return calls


def made(clip: Path, models: Path, *options: object) -> np.ndarray:
    out = clip.with_name("out.mkv")
    named = ("edit", clip, "make it sepia", "--models", models, "--output", out, *options)
    assert main(list(map(str, named))) == DONE
    frames = read_video(out, folder_fps=Fraction(1)).frames
    out.unlink()
    return frames


def test_the_picture_stays_and_the_rest_is_made_behind_it(
    clip: Path, picture: Path, models_folder: Path
) -> None:
    found = made(clip, models_folder, "--first-frame", picture)
    assert found.shape == FRAMES.shape
    assert np.array_equal(found[0], FRAMES[0][..., ::-1])
    assert all(not np.array_equal(one, other) for one, other in zip(found[1:], FRAMES[1:], strict=True))


def test_it_is_kept_for_as_long_as_the_recipe_holds_it(
    clip: Path, picture: Path, models_folder: Path, rendered: list[dict[str, Any]]
) -> None:
    found = made(clip, models_folder, "--first-frame", picture)
    assert np.array_equal(found[1:], 255 - FRAMES[1:])
    shown, mask = rendered[-1]["clip"], rendered[-1]["mask"]
    assert len(shown) == len(FRAMES) + HELD - 1
    assert torch.equal(shown[:HELD], shown[:1].expand(HELD, -1, -1, -1))
    assert np.array_equal((shown[HELD:] * 255).round().byte().numpy(), FRAMES[1:])
    assert mask[:HELD].max() == 0
    assert mask[HELD:].min() == 1


def test_a_mask_goes_on_behind_it() -> None:
    clip, mask = torch.rand(5, 8, 8, 3), torch.zeros(5, 8, 8)
    mask[:, :, :4] = 1
    picture = torch.rand(8, 8, 3)
    shown, where = GivenFrame(picture, held=5).put(clip, mask)
    assert shown.shape == (9, 8, 8, 3)
    assert torch.equal(shown[4], picture)
    assert torch.equal(shown[5:], clip[1:])
    assert where[:5].max() == 0
    assert torch.equal(where[5:], mask[1:])


def test_a_long_clip_follows_it_from_window_to_window(
    tmp_path: Path, picture: Path, models_folder: Path, rendered: list[dict[str, Any]]
) -> None:
    long = tmp_path / "long.mkv"
    write_video(Video(moving_square(17), Fraction(8)), long)
    found = made(long, models_folder, "--first-frame", picture)
    assert found.shape == (17, 32, 32, 3)
    assert np.array_equal(found[0], FRAMES[0][..., ::-1])
    first, *others = rendered
    assert len(first["clip"]) == 9 + HELD - 1
    assert others
    for one in others:
        assert len(one["clip"]) == 9
        assert one["mask"][0].max() == 0  # what the window before made is handed on


def test_a_picture_of_the_clip_s_shape_is_brought_to_its_size() -> None:
    larger = torch.rand(64, 96, 3, generator=torch.Generator().manual_seed(1))
    given = GivenFrame.of(larger, (32, 48))
    assert given.picture.shape == (32, 48, 3)
    assert (given.picture.mean() - larger.mean()).abs() < 0.01
    assert 0 <= given.picture.min() <= given.picture.max() <= 1


def test_a_recipe_with_references_looks_at_it(picture: Path) -> None:
    first = read_first_frame(picture, (32, 32), recipe("bernini-r-1.3b"), num_frames=9)
    assert first.kept is None
    assert [tuple(one.shape) for one in first.references] == [(32, 32, 3)]


def test_reco_shows_it_beside_the_clip_s_own_frame(
    clip: Path, picture: Path, models_folder: Path, rendered: list[dict[str, Any]]
) -> None:
    """The source stays whole at the left; what comes back has the picture, to the bit, as its frame 0."""
    long, where, out = (clip.with_name(name) for name in ("long.mkv", "mask.png", "out.mkv"))
    write_video(Video(moving_square(17), Fraction(8)), long)
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[8:16, 8:16] = 255
    Image.fromarray(mask).save(where)
    request = EditRequest(
        long, "make it sepia", recipe="reco", first_frame=picture, output=out, window_frames=9
    )
    editor = Editor(tiny(), models_folder)
    edit_owned(request, models=editor)
    found = read_video(out, folder_fps=Fraction(1)).frames
    assert np.array_equal(found[0], FRAMES[0][..., ::-1])
    first, *others = rendered
    assert np.array_equal((first["clip"] * 255).round().byte().numpy(), FRAMES)
    assert first["mask"] is None
    assert np.array_equal((first["first_frame"] * 255).round().byte().numpy(), FRAMES[0][..., ::-1])
    assert others
    assert all("first_frame" not in one for one in others)
    rendered.clear()
    finishing = Finishing(crop_px=0)
    edit_owned(replace(request, clip=clip, mask=where, finishing=finishing), models=editor)
    (boxed,) = rendered
    assert boxed["clip"].shape[1:3] == boxed["first_frame"].shape[:2] == (16, 16)
    is_box = [
        torch.equal(
            boxed["first_frame"], to_floats(FRAMES[:1, top : top + 16, left : left + 16, ::-1].copy())[0]
        )
        for top in range(17)
        for left in range(17)
    ]
    assert any(is_box)


REFUSALS: dict[str, tuple[Callable[[Path], tuple[object, ...]], str]] = {
    "another shape": (lambda p: (p.with_name("wide.png"),), "the first frame is 64x32 and the clip 32x32, of another shape"),
    "none there": (lambda p: (p.with_name("none.png"),), "check the path"),
    "a recipe that cannot": (lambda p: (p, "--recipe", "videocof"), "'videocof' cannot follow a first frame: use one of"),
    "one frame alone": (lambda p: (p, "--frames", 1), "nothing is left to follow"),
    "one frame beside": (lambda p: (p, "--frames", 1, "--recipe", "reco"), "nothing is left to follow"),
    "grown without a mask": (lambda p: (p, "--grow", 2), "works on a mask, and none was given"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_is_said_before_any_work(
    case: str, clip: Path, picture: Path, models_folder: Path, capsys: Captured
) -> None:
    Image.new("RGB", (64, 32)).save(picture.with_name("wide.png"))
    before = sorted(clip.parent.iterdir())
    options, words = REFUSALS[case]
    named = ("edit", clip, "make it sepia", "--models", models_folder, "--json", "--first-frame")
    assert main(list(map(str, (*named, *options(picture))))) == BAD_INPUT
    assert words in json.loads(capsys.readouterr().out)["error"]
    assert sorted(clip.parent.iterdir()) == before
