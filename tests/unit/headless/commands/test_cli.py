"""The command line does what it says, says what it did, and leaves nothing half-done."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import redirect_stderr, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reelpatch
from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.errors import BadInput
from reelpatch.headless.commands import console
from reelpatch.headless.commands.main import DONE, STOPPED, build_parser, main
from reelpatch.headless.editor import Editor
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe
from tests.conftest import moving_square
from tests.forked import Running

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def editor(models_folder: Path) -> Editor:
    return Editor(recipe("demo"), models_folder)


def test_an_edit_keeps_size_rate_and_length(
    capsys: Captured, models_folder: Path, clip_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.mp4"
    answer = run(capsys, "edit", clip_path, "make it sepia", "--models", models_folder, "--output", out)
    assert answer["output"] == str(out)
    assert (answer["frames"], answer["width"], answer["height"], answer["fps_exact"]) == (9, 32, 32, "8")
    result, source = (read_video(path, folder_fps=Fraction(1)) for path in (out, clip_path))
    assert result.frames.shape == source.frames.shape
    assert result.fps == source.fps
    assert not np.array_equal(result.frames, source.frames)


def test_a_clip_of_any_size_and_length_comes_back_as_it_was(
    capsys: Captured, models_folder: Path, tmp_path: Path
) -> None:
    clip, out = tmp_path / "odd.mp4", tmp_path / "x.mp4"
    write_video(Video(moving_square(6, 35, 27), Fraction(8)), clip)
    answer = run(
        capsys,
        "edit",
        clip,
        "make it sepia",
        "--models",
        models_folder,
        "--output",
        out,
        "--fit",
        "--steps",
        1,
    )
    assert (answer["frames"], answer["width"], answer["height"]) == (6, 27, 35)
    assert read_video(out, folder_fps=Fraction(1)).frames.shape == (6, 35, 27, 3)


def test_the_result_lies_beside_the_clip_unless_said_otherwise(
    capsys: Captured, models_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, image in enumerate(moving_square(5)):
        Image.fromarray(image).save(folder / f"{index}.png")
    code = main(
        ["edit", str(folder), "make it sepia", "--models", str(models_folder), "--steps", "1", "--fps", "12"]
    )
    assert code == DONE
    out = tmp_path / "frames_make_it_sepia.mp4"
    assert capsys.readouterr().out == f"{out}\n"
    assert read_video(out, folder_fps=Fraction(1)).fps == 12


def test_a_part_of_a_clip(capsys: Captured, models_folder: Path, clip_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    answer = run(
        *(capsys, "edit", clip_path, "make it sepia", "--models", models_folder, "--output", out),
        *("--frames", 5, "--steps", 1),
    )
    assert answer["frames"] == 5
    assert len(read_video(out, folder_fps=Fraction(1)).frames) == 5


def test_kept_pixels_are_exact(editor: Editor) -> None:
    clip = to_floats(moving_square())
    mask = torch.zeros(9, 32, 32)
    mask[2:6, :, :16] = 1
    edited = editor.edit(clip, "make the circle blue", mask=mask)
    assert torch.equal(edited[mask == 0], clip[mask == 0])
    with pytest.raises(BadInput, match="0 everywhere"):
        editor.edit(clip, "make the circle blue", mask=mask * 0)
    assert not torch.equal(edited, clip)


def test_a_seed_means_the_same_each_time_and_references_count(editor: Editor) -> None:
    clip = to_floats(moving_square())
    one, again, other = (editor.edit(clip, "make it sepia", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    with_reference = editor.edit(clip, "make it sepia", seed=1, references=[torch.rand(20, 30, 3)])
    assert with_reference.shape == clip.shape
    assert not torch.equal(with_reference, one)


def test_progress_reaches_the_end_of_every_stage(models_folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    editor = Editor(recipe("demo"), models_folder)
    editor.edit(to_floats(moving_square()), "make it sepia", on_progress=lambda *stage: told.append(stage))
    assert [stage for stage, done, total in told if done == total] == [
        *("reading the instruction", "encoding the clip", "loading the backbone", "denoising", "decoding"),
    ]


def test_bytes_survive_the_way_to_floats_and_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_bytes(to_floats(every)), every)


def test_recipes_are_listed_and_shown(capsys: Captured) -> None:
    assert "ditto-global" in {one["name"] for one in run(capsys, "recipes")["recipes"]}
    assert run(capsys, "recipes", "demo")["name"] == "demo"
    assert main(["recipes"]) == DONE
    assert "non-commercial" in capsys.readouterr().out
    assert main(["recipes", "ditto-global"]) == DONE
    assert "https://huggingface.co" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["edit", "picture"])
def test_an_instruction_may_stand_anywhere(verb: str) -> None:
    parse = build_parser().parse_args
    given = ["--seed", "7", "--json"]
    first = parse([verb, "a.mp4", "make it blue", *given])
    assert first.instruction == "make it blue"
    assert parse([verb, "a.mp4", *given, "make it blue"]) == first
    assert parse([verb, *given, "a.mp4", "make it blue"]) == first
    assert parse([verb, "--seed", "7", "a.mp4", "--json", "make it blue"]) == first
    for wrong in (["make it blue", *given, "again"], [*given, "make it blue", "again"], [*given, "-x"]):
        with pytest.raises(BadInput):
            parse([verb, "a.mp4", *wrong])


@pytest.mark.parametrize(
    ("work", "waits"),
    [
        (
            "from reelpatch.headless.commands.main import build_parser; build_parser()",
            "torch numpy av PIL tqdm",
        ),
        ("import reelpatch.recipes", "torch reelpatch.recipes.methods reelpatch.recipes.shared_attention"),
    ],
)
def test_what_is_not_asked_for_is_not_imported(work: str, waits: str) -> None:
    """So that --help and the nodes' start stay quick."""
    script = f"import sys; {work}; sys.exit(' '.join(set({waits.split()}) & set(sys.modules)) or 0)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_help_and_version(capsys: Captured) -> None:
    for arguments, words in (
        (["--help"], "Exit codes"),
        (["edit", "--help"], "--mask"),
        (["--version"], "reelpatch"),
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == DONE
        assert words in capsys.readouterr().out
    assert reelpatch.__version__


def _all_from(terminal: int) -> str:
    """Everything written to a terminal whose other end is closed."""
    parts: list[bytes] = []
    with suppress(OSError):  # how a terminal says that it is at its end
        while part := os.read(terminal, 10_000):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_bars_show_each_stage_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with os.fdopen(theirs, "w") as terminal, redirect_stderr(terminal), console.progress_bars() as show:
        for done in range(3):
            show("denoising", done, 2)
        show("decoding", 0, 1)
    drawn = _all_from(ours)
    assert "denoising: 100%" in drawn
    assert "decoding:   0%" in drawn


def test_ctrl_c_leaves_nothing_behind(models_folder: Path, clip_path: Path, tmp_path: Path) -> None:
    models, out = ("--models", str(models_folder)), ("--output", str(tmp_path / "x.mp4"))

    def edit() -> int:
        # As a shell starts it, whatever the one that runs the tests has made of signals; and with no threads of the process that forks.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(1)
        return main(["edit", str(clip_path), "make it sepia", *models, *out, "--steps", "1000"])

    with Running(edit) as process:
        while b"the result goes to" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        errors = process.heard()
        assert process.wait() == STOPPED
    assert "stopped; nothing was written" in errors
    assert list(tmp_path.iterdir()) == []
