"""Starts processes that work together, as torchrun does, on the CPU."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from reelpatch.headless.commands.main import main
from tests.forked import Running

ROOT = Path(__file__).parents[5]
_RANK = re.compile(r"^rank (\d+) is process (\d+)$", re.MULTILINE)
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def torchrun(count: int, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """So many processes of a module, each with one thread, and all that they said."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]
    command = [*launcher, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | _ENVIRONMENT, capture_output=True, text=True, check=False
    )


@contextmanager
def launched(count: int, log: Path, *arguments: str) -> Iterator[Running]:
    """torchrun's own launcher at work on `reelpatch`, in a fork of this process, and so are those that it starts.

    What they say goes to `log`. So nothing is imported again.
    """
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="together",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="fork",
    )

    def launch() -> int:
        os.environ |= _ENVIRONMENT
        torch.set_num_threads(1)
        elastic_launch(config, _rank)(arguments)
        return 0

    with Running(launch, log) as launcher:
        yield launcher


def ranks_in(log: str) -> list[int]:
    """The numbers of the processes that have begun, in order of their rank."""
    found = {int(rank): int(pid) for rank, pid in _RANK.findall(log)}
    return [found[rank] for rank in sorted(found)]


def _rank(arguments: tuple[str, ...]) -> None:
    # As where the launcher starts a program: its own ways with signals are no part of that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stderr.write(f"rank {os.environ['RANK']} is process {os.getpid()}\n")
    sys.stderr.flush()
    sys.exit(main(arguments))
