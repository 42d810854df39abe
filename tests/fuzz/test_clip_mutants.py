"""A few of the mutated clips and masks of `python -m tests.fuzz.clips`, which runs as many as it is told; and its own checks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelpatch.headless.commands.main import BAD_INPUT, DONE
from tests.forked import CRASHED, forked
from tests.fuzz import clips
from tests.fuzz.clips import fault_of, write_films, write_masks, write_mutant

NUM_MUTANTS = 32  # two of each kind
HANGS_AFTER_S = "60"  # whatever the processor: all but a hang take less than a second
# A codec without a decoder is among the first; 1410 and 1682 made FFV1's decoder fail at its end for ever, 7310 is a TIFF
# whose second picture has no size, a TypeError of Pillow's.
FOUND_BEFORE = (1410, 1682, 7310)


def test_mutants_are_read_or_refused(tmp_path: Path) -> None:
    """In a process that has run no threads, as what it forks should not."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.clips",
        "--number",
        str(NUM_MUTANTS),
        "--also",
        *map(str, FOUND_BEFORE),
        "--seconds",
        HANGS_AFTER_S,
        "--keep",
        tmp_path / "new",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{NUM_MUTANTS + len(FOUND_BEFORE)} mutants, 0 failed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == DONE


def test_the_same_number_makes_the_same_mutant(tmp_path: Path) -> None:
    write_films(tmp_path)
    write_masks(tmp_path)
    (tmp_path / "a").mkdir()
    first = write_mutant(5, tmp_path, tmp_path / "a").read_bytes()
    assert first == write_mutant(5, tmp_path, tmp_path / "a").read_bytes()
    assert first != (tmp_path / "clip.ts").read_bytes()


def test_whatever_ends_a_process_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_BYTES", sys.maxsize)  # what this process holds counts as its forks' too

    def raises() -> int:
        raise ValueError("as it happens")

    def says(words: str) -> int:
        sys.stdout.write(f'{{"error": "{words}"}}\n')
        return DONE

    calls = {
        "well": lambda: says("A sentence."),
        "no sentence": lambda: says("half a"),
        "raises": raises,
        "crashes": lambda: os.kill(os.getpid(), signal.SIGKILL) or DONE,
        "refuses": lambda: BAD_INPUT,
    }
    outcomes = {ended.name: ended for ended in forked(calls.items(), jobs=3)}
    assert {name: ended.code for name, ended in outcomes.items()} == {
        "well": DONE,
        "no sentence": DONE,
        "raises": CRASHED,
        "crashes": -signal.SIGKILL,
        "refuses": BAD_INPUT,
    }
    assert {name for name, ended in outcomes.items() if fault_of(ended)} == outcomes.keys() - {"well"}
    assert fault_of(outcomes["raises"]).endswith("ValueError: as it happens")


def test_a_call_that_never_ends_is_ended() -> None:
    (ended,) = forked([("hangs", lambda: time.sleep(1000) or DONE)], limit_s=0.2)
    assert ended.is_too_long
    assert fault_of(ended).startswith("no end within")
