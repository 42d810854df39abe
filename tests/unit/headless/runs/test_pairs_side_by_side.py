"""Several processes make a data set of pairs as one does: the same to the byte, and whole when any of them is killed."""

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import torch

from benchmarks.worker_processes import workers_of
from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.runs.pair_set.side_by_side import devices_for
from tests.forked import Running, serve_forks
from tests.unit.headless.runs.pair_lines import LENIENT, LINES, SETTINGS, contents, pairs, write

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, Path]]:
    """A file of pairs, and the data set that one process makes of it on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("pairs")
    file = write(folder, LINES)
    assert pairs(file, folder / "out", *LENIENT) == DONE
    yield file, folder / "out"
    torch.set_num_threads(threads)


def started(file: Path, out: Path, *options: str) -> Running:
    """`reelpatch pairs` as a process of its own, whose workers have one thread each, as the run that it is compared to."""

    def call() -> int:
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)
        serve_forks()
        return main(["pairs", str(file), "--out", str(out), *SETTINGS, *options])

    return Running(call)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_two_processes_that_are_killed_make_the_same_set_in_the_end(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    """Once the run is killed as soon as a pair is there, and then, in the run that goes on, one that makes pairs."""
    file, whole = made
    out = tmp_path / "out"
    process = started(file, out, *LENIENT, "--jobs", "2")
    while process.poll() is None and not any(out.glob("00000?")):
        time.sleep(0.02)
    process.kill()
    heard = process.heard()  # which ends when its workers have, too
    assert any(out.glob("00000?")), heard
    for place in out.glob("00000?"):  # none is there in part
        assert {path.name for path in place.iterdir()} == {
            path.name for path in (whole / place.name).iterdir()
        }
    (whole_before, missing) = (
        contents(whole),
        [n for n in range(len(LINES)) if not (out / f"{n:06d}").exists()],
    )
    process = started(file, out, *LENIENT, "--jobs", "2")
    killed = 0
    while process.poll() is None and not killed and len(missing) > 1:
        time.sleep(0.1)
        for one in workers_of(process.pid)[:1]:
            one.kill()
            killed += 1
    heard = process.heard()
    assert process.wait() == DONE, heard
    assert ("its process was ended by SIGKILL" in heard) == bool(killed)
    assert contents(out) == whole_before


def test_more_processes_than_there_may_be_are_refused(
    made: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    file, _ = made
    assert pairs(file, tmp_path / "out", "--jobs", "0") == BAD_INPUT
    assert "0 is not from 1 to 64 processes" in capsys.readouterr().err


def test_of_cards_each_process_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        "reelpatch.headless.runs.pair_set.side_by_side.choose_device",
        lambda name: torch.device("cuda" if name == "auto" else name),
    )
    assert devices_for(2, "auto") == ["cuda:0", "cuda:1"]
    assert devices_for(1, "auto") == ["auto"]
    assert devices_for(3, "cpu") == ["cpu"] * 3
    with pytest.raises(BadInput, match="3 processes were asked for, but 2 cuda devices are there"):
        devices_for(3, "cuda")
    with pytest.raises(BadInput, match="cuda:1 is one card, which 2 processes cannot share"):
        devices_for(2, "cuda:1")
