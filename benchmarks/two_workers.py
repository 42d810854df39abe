"""Two workers of each kind that a batch can have, and how one of them is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.worker_processes import workers_of

TakeAway = Callable[[subprocess.Popen[bytes]], None]


def workers(chance: random.Random) -> Generator[tuple[tuple[str, ...], TakeAway]]:
    """Two processes of this machine."""

    def kill_one(batch: subprocess.Popen[bytes]) -> None:
        if found := workers_of(batch.pid):
            chance.choice(found).send_signal(signal.SIGKILL)

    yield ("--devices", "cpu,cpu"), kill_one


def ray(chance: random.Random) -> Generator[tuple[tuple[str, ...], TakeAway]]:  # noqa: ARG001 -- as the other ways
    """Two nodes of one core beside a head without any."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        yield (
            ("--ray", cluster.address),
            lambda _batch: cluster.remove_node(nodes[1], allow_graceful=False),
        )
    finally:
        cluster.shutdown()


def servers(chance: random.Random) -> Generator[tuple[tuple[str, ...], TakeAway]]:
    """Two ComfyUI servers."""
    from tests.host.server import ROOT, running

    with tempfile.TemporaryDirectory() as top, ExitStack() as until_end:
        found: list[Any] = []
        for name in ("one", "two"):
            (Path(top) / name).mkdir()
            models = ROOT / "reelpatch" / "headless" / "demo" / "models"
            found.append(until_end.enter_context(running(Path(top) / name, models)))
        yield (
            ("--comfyui", ",".join(one.url for one in found)),
            lambda _batch: os.kill(chance.choice(found).pid, signal.SIGKILL),
        )


WAYS = {"workers": (workers, ".mkv"), "ray": (ray, ".mkv"), "servers": (servers, ".mp4")}
"""What makes the options of a batch and the loss of one worker, and the form of results."""
