"""The examples of docs/batch.md are run as they stand there."""

import re
import shlex
from fractions import Fraction
from pathlib import Path

import pytest

from reelpatch.headless.commands.main import DONE, main
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square
from tests.unit.headless.runs.batch_jobs import states

PAGE = (Path(__file__).parents[4] / "docs" / "batch.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("shots", "done"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        write_video(Video(moving_square(5), Fraction(8)), tmp_path / "shots" / f"{name}.mp4")
    for name, kind in (("jobs.jsonl", "jsonl"), ("jobs.csv", "csv"), ("defaults.json", "json")):
        (tmp_path / name).write_text(block(kind), encoding="utf-8")
    commands = [shlex.split(line)[1:] for line in block("sh").splitlines()]
    assert commands
    for command in commands:
        assert main(command) == DONE, command
    assert states(tmp_path / "jobs.jsonl") == ["done"] * 9
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == [
        *(
            "a_blue.mp4",
            "a_sepia.mp4",
            "a_table.mp4",
            *(f"b_make_it_{style}_{seed}.mp4" for style in ("grayscale", "sepia") for seed in (1, 2)),
            "b_sepia.mp4",
            "b_steady.mkv",
            "b_table.mp4",
            "b_wide.mp4",
        )
    ]
    assert (tmp_path / "reports" / "today" / "report.html").is_file()
