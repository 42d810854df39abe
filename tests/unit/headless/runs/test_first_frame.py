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
from reelpatch.windows.plan_windows import one_window, plan_windows
from tests.conftest import moving_square
from tests.unit.edits.canvas.test_canvas import tiny

Captured = pytest.CaptureFixture[str]
FRAMES = moving_square(9)
HELD = recipe("demo").held_frames


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


def test_another_frame_stays_and_all_others_are_made(
    clip: Path, picture: Path, models_folder: Path, rendered: list[dict[str, Any]]
) -> None:
    found = made(clip, models_folder, "--first-frame", picture, "--at-frame", 3)
    assert np.array_equal(found[3], FRAMES[0][..., ::-1])
    others = [number for number in range(9) if number != 3]
    assert np.array_equal(found[others], 255 - FRAMES[others])
    shown, mask = rendered[-1]["clip"], rendered[-1]["mask"]
    held = range(3, 3 + HELD)
    assert torch.equal(shown[3 : 3 + HELD], shown[3:4].expand(HELD, -1, -1, -1))
    assert [number for number in range(len(mask)) if mask[number].max() == 0] == list(held)
    assert mask[[number for number in range(len(mask)) if number not in held]].min() == 1


@pytest.mark.parametrize("at", [0, 7, 8, 10, 16])
def test_it_stays_to_the_bit_wherever_windows_lie(
    tmp_path: Path, picture: Path, models_folder: Path, rendered: list[dict[str, Any]], at: int
) -> None:
    """Windows of 9 frames share 5: 4 to 8 are handed on, of which 7 and 8 are made anew by the second."""
    long = tmp_path / "long.mkv"
    write_video(Video(moving_square(17), Fraction(8)), long)
    found = made(long, models_folder, "--first-frame", picture, "--at-frame", at)
    assert found.shape == (17, 32, 32, 3)
    assert np.array_equal(found[at], FRAMES[0][..., ::-1])
    begins = [0, 4, 8]
    for first, one in zip(begins, rendered, strict=True):
        is_seen = first <= at < first + 9
        is_new = is_seen and (first == 0 or at - first >= 5)
        assert len(one["clip"]) == 9 + (HELD - 1 if is_new else 0)
        if is_seen:
            assert np.array_equal(
                (one["clip"][at - first] * 255).round().byte().numpy(), FRAMES[0][..., ::-1]
            )
            assert one["mask"][at - first].max() == 0


def test_a_recipe_that_holds_no_frames_is_told_of_one_alone() -> None:
    clip, picture = torch.rand(9, 8, 8, 3), torch.rand(8, 8, 3)
    given = GivenFrame(picture, at=6)
    shown, mask = given.put(clip, None)
    assert shown.shape == clip.shape
    assert torch.equal(shown[6], picture)
    assert mask.amin((1, 2)).tolist() == [1, 1, 1, 1, 1, 1, 0, 1, 1]
    assert torch.equal(given.without_lead(shown), shown)
    assert "sees frames 5 to 8 as one" in given.describe("edited.png", 4)
    assert "as one" not in GivenFrame(picture).describe("edited.png", 4)


def test_windows_that_do_not_see_the_frame_are_told_of() -> None:
    plan = plan_windows(33, 9, 5, recipe("demo").lattice)
    assert plan.told_of_frame(8) == ""
    assert plan.told_of_frame(9).startswith("The first window ends before frame 9 and does not see it")
    assert "The first 2 windows end before frame 14 and do not see it" in plan.told_of_frame(14)
    assert "from frame 8 on" in plan.told_of_frame(14)


def test_a_picture_of_the_clip_s_shape_is_brought_to_its_size() -> None:
    larger = torch.rand(64, 96, 3, generator=torch.Generator().manual_seed(1))
    given = GivenFrame.of(larger, (32, 48))
    assert given.picture.shape == (32, 48, 3)
    assert (given.picture.mean() - larger.mean()).abs() < 0.01
    assert 0 <= given.picture.min() <= given.picture.max() <= 1


def test_a_recipe_with_references_looks_at_it(picture: Path) -> None:
    plan = one_window(9, recipe("bernini-r-1.3b").lattice)
    for at in (0, 4):
        first = read_first_frame(picture, (32, 32), recipe("bernini-r-1.3b"), plan=plan, at=at)
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
    "a frame that is not there": (lambda p: (p, "--at-frame", 9), "frame 9 was named, but the clip has 9: use 0 to 8"),
    "a frame before the first": (lambda p: (p, "--at-frame", -1), "use 0 to 8"),
    "a frame beyond those asked for": (lambda p: (p, "--at-frame", 6, "--frames", 5), "the clip has 5"),
    "another frame of another shape": (lambda p: (p.with_name("wide.png"), "--at-frame", 4), "the picture of frame 4 is 64x32"),
    "another frame beside": (lambda p: (p, "--at-frame", 4, "--recipe", "reco"), "frame 0 alone beside the source, but frame 4"),
    "grown without a mask": (lambda p: (p, "--grow", 2), "works on a mask, and none was given"),
}  # fmt: skip


def test_a_frame_without_a_picture_is_refused(clip: Path, models_folder: Path, capsys: Captured) -> None:
    named = ("edit", clip, "make it sepia", "--models", models_folder, "--json", "--at-frame", 4)
    assert main(list(map(str, named))) == BAD_INPUT
    assert "frame 4 was named, but no picture of it" in json.loads(capsys.readouterr().out)["error"]


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
