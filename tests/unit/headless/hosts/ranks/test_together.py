"""One clip edited by two processes from the command line: the same clip, and one end for both."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.version import Version

from reelpatch.headless.commands.main import DONE, main
from reelpatch.media.video_io import read_video
from tests.forked import Running
from tests.unit.headless.hosts.ranks.launched import ROOT, launched, ranks_in, torchrun

CLIP = ROOT / "workflows" / "reelpatch_demo_clip.mp4"
LONG = ROOT / "workflows" / "reelpatch_demo_long_clip.mp4"


def arguments(clip: Path, out: Path, *more: str) -> list[str]:
    return ["edit", str(clip), "make the red circle blue", "--output", str(out), *more]


needs_gloo = pytest.mark.skipif(
    Version(torch.__version__) < Version("2.13"),
    reason="gloo of torch 2.9 writes to stdout, and does not tell of a process that has ended",
)


def sentences(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("reelpatch: ")]


@needs_gloo
def test_two_processes_make_the_clip_of_one(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone.mkv", tmp_path / "together.mkv"
    assert main(arguments(CLIP, alone)) == DONE
    ended = torchrun(2, "reelpatch", *arguments(CLIP, together))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{together}\n"
    assert ended.stderr.count("2 processes share every forward (ring)") == 1
    one, other = (read_video(path, folder_fps=8).frames.astype(int) for path in (alone, together))
    # Sums of products in another order move a number of bytes from one side of a half to the other.
    assert np.abs(one - other).max() <= 1
    assert (one != other).mean() < 1e-3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.mkv", "together.mkv"]


def test_a_refusal_is_said_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    out = tmp_path / "results"
    out.mkdir()
    with launched(2, log, *arguments(CLIP, out / "out.mkv", "--parallel", "ulysses")) as launcher:
        assert launcher.wait() != 0
    (said,) = sentences(log.read_text())
    assert said.endswith("but 2 processes do not divide 1 head: use ring (--parallel).")
    assert list(out.iterdir()) == []


@needs_gloo
@pytest.mark.parametrize("ending", ["a process is killed", "Ctrl-C"])
def test_all_end_together(tmp_path: Path, ending: str) -> None:
    log = tmp_path / "log"
    out = tmp_path / "results"
    out.mkdir()
    with launched(2, log, *arguments(LONG, out / "out.mkv", "--window-frames", "0")) as launcher:
        workers = _workers_at_work(launcher, log)
        if ending == "Ctrl-C":
            launcher.send_signal(signal.SIGINT)
        else:
            os.kill(workers[1], signal.SIGKILL)
        assert launcher.wait() != 0
    assert not any(_is_running(worker) for worker in workers)
    said = sentences(log.read_text())
    assert len(said) == 1, log.read_text()
    assert "stopped" in said[0] if ending == "Ctrl-C" else ("has ended" in said[0] or "stopped" in said[0])
    assert list(out.iterdir()) == []


def _workers_at_work(launcher: Running, log: Path) -> list[int]:
    """The processes in order of their rank, once they compute."""
    while "changes 80 layers" not in log.read_text():
        assert launcher.poll() is None, log.read_text()
        time.sleep(0.2)
    workers = ranks_in(log.read_text())
    assert len(workers) == 2
    return workers


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
