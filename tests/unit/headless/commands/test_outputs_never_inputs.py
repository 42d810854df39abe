"""No output of any command takes an input away, under whatever name both are known; and names that cannot be are refused."""

import json
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.media.beside import MAX_NAME_BYTES, beside, windows_folder
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import check_output, write_video
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
FRAMES = moving_square()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one of every input; those that are clips could be outputs by their names."""
    write_video(Video(FRAMES, Fraction(8)), tmp_path / "clip.mp4")
    for name in ("mask.mp4", "first.mp4", "last.mp4", "after.mp4"):
        shutil.copy(tmp_path / "clip.mp4", tmp_path / name)
    for name in ("reference.png", "mask.png"):
        Image.fromarray(FRAMES[0]).save(tmp_path / name)
    shutil.copy(tmp_path / "reference.png", tmp_path / "reference.mp4")
    (tmp_path / "lora.mp4").write_bytes(b"weights by another name")
    (tmp_path / "frames").mkdir()
    for index, image in enumerate(FRAMES):
        Image.fromarray(image).save(tmp_path / "frames" / f"{index}.png")
    return tmp_path


EDIT = ("edit", "clip.mp4", "make it sepia")
TASK = ("task", "extend", "x")
COMMANDS = {
    "mask": (*EDIT, "--mask", "mask.mp4", "--output", "mask.mp4"),
    "reference": (*EDIT, "--reference", "reference.mp4", "--output", "reference.mp4"),
    "LoRA": (*EDIT, "--lora", "lora.mp4", "--output", "lora.mp4"),
    "clip": ("enhance", "clip.mp4", "--out", "clip.mp4"),
    "first clip": (*TASK, "--first", "first.mp4", "--output", "first.mp4"),
    "last clip": (*TASK, "--first", "first.mp4", "--last", "last.mp4", "--output", "last.mp4"),
    "clip before": ("compare", "clip.mp4", "after.mp4", "--out", "clip.mp4"),
    "clip after": ("compare", "clip.mp4", "after.mp4", "--out", "after.mp4"),
}
PICTURES = {
    "mask": ("measure", "clip.mp4", "after.mp4", "--mask", "mask.png", "--plot", "mask.png"),
    "first clip": (*TASK, "--first", "reference.png", "--preview", "reference.png"),
    "picture": ("picture", "reference.png", "x", "--output", "reference.png"),
    "clip before": ("compare", "frames", "after.mp4", "--sheet", "frames/3.png"),
}


@pytest.mark.parametrize(
    "command", [*COMMANDS.items(), *PICTURES.items()], ids=lambda item: "-".join(item[1][:1]) + item[0]
)
def test_an_output_that_is_an_input(
    command: tuple[str, tuple[str, ...]], files: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    what, words = command
    monkeypatch.chdir(files)
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    assert main([*words, "--json"]) == BAD_INPUT
    sentence = json.loads(capsys.readouterr().out)["error"]
    assert f"the {what} " in sentence
    assert "name another" in sentence
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == before


def spelled(path: Path) -> Path:
    return path.parent / "nothing" / ".." / path.name


def linked(path: Path) -> Path:
    link = path.with_name("link.mp4")
    link.symlink_to(path)
    return link


def hard_linked(path: Path) -> Path:
    link = path.with_name("hard.mp4")
    os.link(path, link)
    return link


def from_linked_folder(path: Path) -> Path:
    folder = path.parent.with_name(f"{path.parent.name}_link")
    folder.symlink_to(path.parent)
    return folder / path.name


@pytest.mark.parametrize("other", [spelled, linked, hard_linked, from_linked_folder])
def test_another_name_of_an_input(other: Callable[[Path], Path], files: Path) -> None:
    (files / "nothing").mkdir()
    mask = files / "mask.mp4"
    also = other(mask)
    for output, given in ((also, mask), (mask, also)):
        with pytest.raises(ValueError, match="is the mask itself, which is never overwritten"):
            check_output(output, (("clip", files / "clip.mp4"), ("mask", given)))


def test_weights_that_a_recipe_finds_itself(files: Path, models_folder: Path, capsys: Captured) -> None:
    weights = next((models_folder / "vae").iterdir())
    other = files / "x.mp4"
    os.link(weights, other)
    command = ("edit", str(files / "clip.mp4"), "make it sepia", "--output", str(other))
    assert main([*command, "--models", str(models_folder), "--json"]) == BAD_INPUT
    assert "is the VAE itself, which is never overwritten" in json.loads(capsys.readouterr().out)["error"]
    assert other.samefile(weights)


def test_the_windows_of_a_result_are_not_taken_away_while_they_are_an_input(files: Path) -> None:
    folder = windows_folder(files / "x.mp4")
    folder.mkdir()
    shutil.copy(files / "clip.mp4", folder / "00000.mkv")
    with pytest.raises(ValueError, match="lies where the finished windows of the output"):
        check_output(files / "x.mp4", (("clip", folder / "00000.mkv"),))


def test_a_converted_file_is_not_its_own_pickle(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"a pickle")
    with pytest.raises(ValueError, match="is the pickle itself"):
        refuse_inputs(tmp_path / "x.safetensors", (("pickle", tmp_path / "x.safetensors"),), "out")


@pytest.mark.parametrize("name", ["demo.mp4", "contact_sheet.png"])
def test_the_demo_replaces_nobody_else_s_files(tmp_path: Path, capsys: Captured, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    assert main(["demo", "--out", str(tmp_path), "--json"]) == BAD_INPUT
    assert "is in the way" in json.loads(capsys.readouterr().out)["error"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]


def test_a_file_that_stands_there_is_replaced_and_that_is_said_unless_it_is_protected(
    files: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelpatch.headless.commands.console.log.propagate", True)
    check_output(files / "after.mp4")
    assert "after.mp4 exists, and is replaced when the result is complete" in caplog.text
    (files / "after.mp4").chmod(0o444)
    with pytest.raises(ValueError, match="is write-protected"):
        check_output(files / "after.mp4")


@pytest.mark.parametrize(
    "name",
    [
        "2025-06-18T12:30:11.mp4",
        "file:x.mkv",
        "-leading.mp4",
        "100%d.mp4",
        "12:30",  # a folder of frames
        *(f"{'x' * (length - 4)}.mp4" for length in (234, 240, 247, 255)),
        f"{'長' * 83}.mp4",
        "x" * 255,
    ],
    ids=lambda name: name[:12] + str(len(name)),
)
def test_a_name_that_is_possible_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    check_output(path)
    write_video(Video(FRAMES, Fraction(8)), path)
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert read_video(tmp_path / name, folder_fps=Fraction(8)).frames.shape == FRAMES.shape


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x" * 252 + ".mp4", "is 256 bytes long, but 255 are the most"),
        ("長" * 100, "is 300 bytes long"),
        ("x\0.mp4", "names no file"),
        ("..", "names no file"),
        (".", "names no file"),
        ("loop.mp4", "Too many levels"),
        ("pipe.mp4", "is a device or a pipe"),
        ("pipe", "is a file, not a folder"),
        ("dangling", "is a link"),
    ],
    ids=lambda value: value[:12],
)
def test_a_name_that_is_not_possible_is_one_sentence(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "dangling").symlink_to("nowhere")
    for pipe in ("pipe.mp4", "pipe"):
        os.mkfifo(tmp_path / pipe)
    with pytest.raises(ValueError, match=words):
        check_output(Path(name))


@pytest.mark.parametrize("length", [10, 247, 248, 255])
def test_what_is_kept_beside_a_result_has_a_name_of_its_own_that_is_possible(length: int) -> None:
    names = {
        beside(Path("/x") / one, one, ".windows").name for one in ("a" * length, "a" * (length - 1) + "b")
    }
    assert len(names) == 2
    assert all(len(name) <= MAX_NAME_BYTES and name.endswith(".windows") for name in names)


def test_a_long_clip_with_the_longest_name_is_worked_on_in_windows(
    tmp_path: Path, models_folder: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(Video(moving_square(13), Fraction(8)), clip)
    out = tmp_path / ("x" * 251 + ".mp4")
    options = ("--window-frames", "9", "--steps", "1", "--models", str(models_folder))
    assert main(["edit", str(clip), "make it sepia", "--output", str(out), *options]) == DONE
    assert sorted(tmp_path.iterdir()) == [clip, out]
