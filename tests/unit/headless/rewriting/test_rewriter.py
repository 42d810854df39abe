"""`rewrite`, and `edit` that rewrites first: from the command line to the file, with a server on this machine."""

import base64
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square
from tests.unit.headless.rewriting.conftest import Server

Captured = pytest.CaptureFixture[str]
SAID = "the ball should be green"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(Video(moving_square(9), Fraction(8)), path)
    return path


def answered(capsys: Captured, *arguments: object, code: int = DONE) -> dict[str, Any]:
    assert main([*map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def edit(clip: Path, models: Path, *options: object, instruction: str = SAID) -> tuple[object, ...]:
    return ("edit", clip, instruction, "--models", models, "--steps", "1", *options)


def test_an_edit_reads_what_was_rewritten_and_its_file_says_so(
    server: Server, clip: Path, models_folder: Path, capsys: Captured
) -> None:
    server.answer = '"make it sepia"'
    made = answered(capsys, *edit(clip, models_folder, "--rewrite-url", server.url))
    said = {"instruction": SAID, "rewritten": "make it sepia", "by": f"tiny at {server.url}", "problem": ""}
    assert made["rewriting"] == said
    assert Path(made["output"]).name == "clip_the_ball_should_be_green.mp4"
    with av.open(made["output"]) as file:
        assert json.loads(file.metadata["comment"]) == said
    again = edit(clip, models_folder, "--output", clip.with_name("a.mp4"), instruction="make it sepia")
    plain = answered(capsys, *again)
    assert "rewriting" not in plain
    assert frames_of(Path(plain["output"])) == frames_of(Path(made["output"]))
    pictures = [part for part in server.asked[0]["messages"][1]["content"] if part["type"] == "image_url"]
    assert len(pictures) == 4
    shown = Image.open(io.BytesIO(base64.b64decode(pictures[0]["image_url"]["url"].split(",")[1])))
    assert (shown.format, shown.size) == ("JPEG", (32, 32))


def frames_of(path: Path) -> list[bytes]:
    with av.open(path) as file:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in file.decode(video=0)]


def test_the_same_is_asked_once(server: Server, clip: Path, capsys: Captured) -> None:
    asked = ("rewrite", SAID, "--recipe", "demo", "--look-at", clip, "--rewrite-url", server.url)
    first, second = answered(capsys, *asked), answered(capsys, *asked)
    assert first == second
    assert first["rewritten"] == "make the circle green"
    assert len(server.asked) == 1
    answered(capsys, "rewrite", SAID, "--recipe", "vace", "--look-at", clip, "--rewrite-url", server.url)
    assert len(server.asked) == 2
    (kept, _) = sorted((clip.parent / "cache").rglob("*.json"))
    kept.write_text("{")
    assert answered(capsys, *asked)["rewritten"] == first["rewritten"]


def test_a_failure_stops_before_weights_are_read_unless_the_instruction_may_be_kept(
    server: Server, clip: Path, models_folder: Path, capsys: Captured
) -> None:
    server.answer = ""
    asked = edit(clip, models_folder, "--rewrite-url", server.url)
    assert "answered with nothing" in answered(capsys, *asked, code=BAD_INPUT)["error"]
    assert sorted(path.name for path in clip.parent.iterdir()) == ["clip.mp4"]

    server.answer = "I cannot do that."
    kept = ("edit", clip, "make it sepia", *asked[3:], "--rewrite-or-keep")
    made = answered(capsys, *kept)
    assert made["rewriting"]["rewritten"] == "make it sepia"
    assert "refused" in made["rewriting"]["problem"]


def test_plainly_needs_nothing(capsys: Captured) -> None:
    arguments = ("rewrite", "Put a hat on the cat", "--recipe", "chronoedit", "--rewrite-plainly")
    assert main([*arguments]) == DONE
    assert capsys.readouterr().out.startswith("The user wants to put a hat on the cat. Everything")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing was named that rewrites: .* (--rewrite-url, --rewrite-folder, --rewrite-plainly)"),
        (
            ("--rewrite-url", "http://127.0.0.1:9/v1", "--rewrite-plainly"),
            "in one way, but several were given",
        ),
        (("--rewrite-model", "x", "--rewrite-plainly"), "no server that has it"),
        (("--rewrite-or-keep",), "is kept as it is anyway"),
        (("--rewrite-url", "http://127.0.0.1:9/v1", "--rewrite-timeout", "0"), "0 s is no time"),
        (("--rewrite-folder", "none"), r"none holds no model for transformers \(no config\.json\)"),
    ],
)
def test_options_that_do_not_go_together(options: tuple[str, ...], said: str, capsys: Captured) -> None:
    error = answered(capsys, "rewrite", "x", "--recipe", "vace", *options, code=BAD_INPUT)["error"]
    for part in said.split(" .* "):
        assert part.replace("\\", "") in error


def test_a_recipe_with_a_sentence_of_its_own_is_refused(capsys: Captured) -> None:
    asked = ("rewrite", "x", "--recipe", "chronoedit-upscale", "--rewrite-plainly")
    assert "'chronoedit-upscale' cannot be rewritten" in answered(capsys, *asked, code=BAD_INPUT)["error"]


def test_only_frames_that_are_worked_on_are_shown(
    server: Server, clip: Path, models_folder: Path, capsys: Captured
) -> None:
    server.answer = "make it sepia"
    answered(capsys, *edit(clip, models_folder, "--rewrite-url", server.url, "--frames", "1"))
    assert sum(part["type"] == "image_url" for part in server.asked[0]["messages"][1]["content"]) == 1
    assert "shown a frame of the clip:" in server.asked[0]["messages"][0]["content"]


def test_a_file_of_edits_is_not_rewritten(clip: Path, capsys: Captured) -> None:
    edits = clip.with_name("edits.json")
    edits.write_text('[{"instruction": "make it sepia"}]')
    error = answered(capsys, "edit", clip, "--edits", edits, "--rewrite-plainly", code=BAD_INPUT)["error"]
    assert "are used as they are" in error
