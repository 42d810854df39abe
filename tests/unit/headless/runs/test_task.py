"""Every task from the command line, on tiny weights; pictures of what is laid out; and what is refused."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpatch.edits.vace.tasks import TASKS
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.runs.request import TaskRequest
from reelpatch.headless.runs.task import run_task
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
Files = Callable[[str], list[str]]
SIZE = ("--size", "32x32", "--frames", "9")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, clip_path: Path) -> dict[str, list[str]]:
    """The options of each kind of material, for a clip of 9 frames of 32x32."""
    folder = tmp_path_factory.mktemp("material")
    Image.fromarray(moving_square()[0]).save(folder / "first.png")
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, :16] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    still = np.full((20, 30, 4), 255, np.uint8)
    Image.fromarray(still).save(folder / "reference.png")
    return {
        "clip": ["--clip", str(clip_path)],
        "first": ["--first", str(folder / "first.png")],
        "last": ["--last", str(folder / "first.png")],
        "mask": ["--mask", str(folder / "mask.png")],
        "boxes": ["--box", "0,0,16,16", "--box", "16,16,16,16"],
        "references": ["--reference", str(folder / "reference.png")],
        "sides": ["--expand", "left=0.5,right=0.5"],
        "keep": ["--keep", "0,8"],
    }


def options_of(name: str, material: dict[str, list[str]]) -> list[str]:
    return [option for group in TASKS[name].needs for option in material[group[0]]]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_runs(
    name: str, capsys: Captured, material: dict[str, list[str]], models_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.mp4"
    arguments = ["task", name, "make it sepia", *options_of(name, material), *SIZE, "--steps", "1"]
    assert main([*arguments, "--models", str(models_folder), "--output", str(out), "--json"]) == DONE
    answer = json.loads(capsys.readouterr().out)
    frames = read_video(out, folder_fps=Fraction(1)).frames
    assert frames.shape[:3] == (answer["frames"], answer["height"], answer["width"])
    assert answer["frames"] == 9
    assert answer["task"] == name


def test_kept_frames_and_pixels_stand_in_the_result(
    material: dict[str, list[str]], models_folder: Path
) -> None:
    source = read_video(Path(material["clip"][1]), folder_fps=Fraction(1)).frames
    folder = Path(material["mask"][1]).parent
    common = {"steps": 1, "models": models_folder, "size": (32, 32), "frames": 9}
    clip = Path(material["clip"][1])

    def made(name: str, **options: object) -> np.ndarray:
        out = folder / f"{name}.mp4"
        run_task(
            TaskRequest(name, "make it sepia", clip=clip, output=out, lossless=True, **common, **options)
        )
        return read_video(out, folder_fps=Fraction(1)).frames.astype(int)

    painted = made("inpaint", mask=Path(material["mask"][1]))
    difference = np.abs(painted - source)
    assert difference[:, :, 20:].max() == 0
    assert difference[:, 10:22, 2:14].mean() > 20
    kept = made("keep", keep=(0, 8))
    difference = np.abs(kept - source).mean((1, 2, 3))
    assert difference[[0, 8]].max() == 0
    assert difference[1:8].min() > 20


def test_a_preview_needs_no_weights_and_shows_what_is_laid_out(
    capsys: Captured, material: dict[str, list[str]], tmp_path: Path
) -> None:
    picture = tmp_path / "look.png"
    arguments = [
        "task",
        "swap",
        "a red ball",
        *options_of("swap", material),
        *SIZE,
        "--models",
        str(tmp_path / "none"),
    ]
    assert main([*arguments, "--preview", str(picture), "--json"]) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["frames"], answer["width"], answer["references"]) == (9, 32, 1)
    assert answer["made_up"] == pytest.approx(0.25)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    side, top = 160, 6 + 20  # one frame is enlarged to 160 pixels, below its caption
    first = pixels[top : top + side, 6 : 6 + side]
    assert (first[42:118, 2:78] == 128).all()  # gray where the mask is
    mask = pixels[top + side + 6 + 20 :][:side, 6 : 6 + side]
    assert (mask[42:118, 2:78] == 255).all()
    assert (mask[:, 82:] == 0).all()
    assert list(tmp_path.iterdir()) == [picture]


@pytest.mark.parametrize("kind", ["edge", "gray", "scribble", "box"])
def test_a_control_map_is_drawn_from_the_clip(
    kind: str, capsys: Captured, material: dict[str, list[str]], tmp_path: Path
) -> None:
    picture, clip = tmp_path / "look.png", material["clip"]
    box = ["--box", "4,4,16,16"] if kind == "box" else []
    arguments = [
        "task",
        "control",
        "x",
        *clip,
        *SIZE,
        "--map",
        kind,
        *box,
        "--preview",
        str(picture),
        "--json",
    ]
    assert main(arguments) == DONE
    assert json.loads(capsys.readouterr().out)["made_up"] == 1
    first = np.asarray(Image.open(picture).convert("RGB"))[26 : 26 + 160, 6 : 6 + 160].astype(int)
    assert (first.max(axis=-1) == first.min(axis=-1)).all()
    if kind != "gray":
        assert set(np.unique(first)) <= {0, 255}


@pytest.mark.parametrize("count", range(5))
def test_references_do_not_lengthen_the_result(
    count: int, material: dict[str, list[str]], models_folder: Path, tmp_path: Path
) -> None:
    result = run_task(
        TaskRequest(
            "control",
            "make it sepia",
            clip=Path(material["clip"][1]),
            references=(Path(material["references"][1]),) * count,
            output=tmp_path / "x.mp4",
            size=(32, 32),
            frames=5,
            steps=1,
            models=models_folder,
        )
    )
    assert result.frames == 5


def test_a_clip_picked_evenly_plays_as_long_as_before(models_folder: Path, tmp_path: Path) -> None:
    clip, out = tmp_path / "long.mp4", tmp_path / "x.mp4"
    write_video(Video(moving_square(15), Fraction(10)), clip)
    result = run_task(
        TaskRequest(
            "control",
            "make it sepia",
            clip=clip,
            output=out,
            size=(32, 32),
            frames=5,
            sampling="uniform",
            steps=1,
            models=models_folder,
        )
    )
    assert result.frames == 5
    assert result.fps == Fraction(10 * 5, 15)
    assert read_video(out, folder_fps=Fraction(1)).duration_s == Fraction(3, 2)


def test_frames_are_drawn_by_the_seed(
    material: dict[str, list[str]], capsys: Captured, tmp_path: Path
) -> None:
    def made_up(seed: int) -> bytes:
        picture = tmp_path / "x.png"
        arguments = ["task", "keep", "a", *material["clip"], "--keep-random", "3", *SIZE, "--seed", str(seed)]
        assert main([*arguments, "--preview", str(picture), "--json"]) == DONE
        assert json.loads(capsys.readouterr().out)["made_up"] == pytest.approx(6 / 9)
        return picture.read_bytes()

    assert made_up(1) == made_up(1)
    assert made_up(1) != made_up(2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dance", "x"], "there is no task 'dance'"),
        (["inpaint", "x"], "needs a clip"),
        (["inpaint", " ", "CLIP"], "instruction is empty"),
        (["inpaint", "x", "CLIP"], "needs a mask"),
        (["inpaint", "x", "CLIP", "--box", "30,0,16,16"], "does not lie in"),
        (["inpaint", "x", "CLIP", "--box", "1,2,3"], "is no box"),
        (["outpaint", "x", "CLIP", "--expand", "top=1"], "which sides grow"),
        (["outpaint", "x", "CLIP", "--expand", "left=9"], "the side 'left'"),
        (["extend", "x", "--first", "no.png"], "no.png cannot be read"),
        (["extend", "x", "CLIP", "--first", "no.png"], "cannot be read"),
        (["control", "x", "CLIP", "--expand", "left=1"], "no use for sides"),
        (["keep", "x", "CLIP", "--keep", "9"], "no frame 9"),
        (["keep", "x", "CLIP", "--keep", "a"], "no list of frames"),
        (["keep", "x", "CLIP", "--keep-random", "9"], "at random"),
        (["control", "x", "CLIP", "--frames", "10"], "use 9"),
        (["control", "x", "CLIP", "--map", "depth"], "no control map 'depth'"),
        (["inpaint", "x", "CLIP", "--map", "edge", "--box", "0,0,8,8"], "follows no control map"),
        (["control", "x", "CLIP", "--frames", "0"], "--frames is 0"),
        (["control", "x", "CLIP", "--size", "33x32"], "32x32"),
        (["control", "x", "CLIP", "--preview", "x.jpg"], "does not end in .png"),
        (["control", "x", "CLIP", "--preview", "/none/x.png"], "does not exist"),
        (["control", "x", "CLIP", "--output", "x.avi"], "does not end in .mp4"),
        (["control", "x", "CLIP", "--recipe", "nothing"], "no recipe"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence_and_nothing_is_written(
    arguments: list[str],
    words: str,
    capsys: Captured,
    clip_path: Path,
    tmp_path: Path,
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [part for one in arguments for part in (["--clip", str(clip_path)] if one == "CLIP" else [one])]
    code = main(["task", *given, "--models", str(models_folder), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == BAD_INPUT
    assert words in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == []
