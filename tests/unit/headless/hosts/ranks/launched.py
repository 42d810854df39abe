"""Starts processes that work together, as torchrun does, on the CPU."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[5]
_ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def _command(count: int, module: str, arguments: tuple[str, ...]) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]
    return [*launcher, "-m", module, *arguments]


def torchrun(count: int, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """So many processes of a module, each with one thread, and all that they said."""
    command = _command(count, module, arguments)
    return subprocess.run(command, cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=False)


def run_module(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A module as a process with one thread, and all that it said."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=False)


@contextmanager
def started(count: int, log: Path, module: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The launcher of such processes at work; what they say goes to `log`."""
    command = _command(count, module, arguments)
    with log.open("wb") as said:
        launcher = subprocess.Popen(
            command, cwd=ROOT, env=_ENVIRONMENT, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        yield launcher
    finally:
        if launcher.poll() is None:
            launcher.terminate()
            launcher.wait(timeout=60)
