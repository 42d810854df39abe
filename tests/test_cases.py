"""A few of the odd inputs of `python -m tests.cases`, where the script that writes them is at hand; and its own checks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelpatch.headless.commands.main import BAD_INPUT, DONE
from tests.cases import fault_of, names_of
from tests.forked import Ended

GENERATOR = Path(
    os.environ.get("REELPATCH_CASES", Path(__file__).parents[2] / "shared" / "cases" / "make_cases.py")
)
SUBSET = ("gray", "fragmented")


@pytest.mark.skipif(not GENERATOR.exists(), reason=f"{GENERATOR} is not there, which writes the inputs")
def test_some_cases_end_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.cases", str(GENERATOR), *SUBSET, "--out", str(tmp_path / "new")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert " inputs, 0 failed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == DONE


def test_cases_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "def case_one(out): ...\n\n\ndef other(): ...\n\n\ndef case_two(out): ...\n"
    )
    assert names_of(tmp_path / "x.py") == ["one", "two"]


@pytest.mark.parametrize(
    ("code", "out", "err", "written", "fault"),
    [
        (DONE, {"frames": 5}, "", "out.mp4", ""),
        (DONE, {"frames": 5}, "", "", "nothing was written"),
        (BAD_INPUT, {"error": "This is one sentence."}, "", "", ""),
        (BAD_INPUT, {"error": "This is one sentence."}, "", ".out.7.part", "left behind: .out.7.part"),
        (BAD_INPUT, {"error": "half a sentence"}, "", "", "what is said is not one sentence"),
        (BAD_INPUT, {"error": "x" * 1100 + "."}, "", "", "what is said is not one sentence"),
        (BAD_INPUT, {"error": "no such argument: see reelpatch --help."}, "", "", "the command line was not"),
        (1, {"error": "unexpected"}, "Traceback (most recent call last):\n  KeyError: 5", "", "exit code 1"),
        (DONE, {"frames": 5}, "Traceback (most recent call last):", "out.mp4", "exit code 0, or a traceback"),
        (-11, {}, "", "", "exit code -11"),
    ],
)
def test_whatever_is_wrong_is_found(
    code: int, out: dict[str, object], err: str, written: str, fault: str, tmp_path: Path
) -> None:
    if written:
        (tmp_path / written).touch()
    ended = Ended("x", code, json.dumps(out), err, 1.0, 0, is_too_long=False)
    found = fault_of(ended, tmp_path / "out.mp4")
    assert found.startswith(fault)
    assert bool(found) == bool(fault)
