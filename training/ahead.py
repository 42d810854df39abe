"""Scenes of the trainings by time, encoded by several processes at once: `python -m training.ahead FOLDER`.

It runs beside the trainings, which begin as soon as there are a few shards and take in the others as they come.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from training import adapter, further, pictures
from training.shard_folder import ShardFolder

FORMAT = "%(asctime)s %(message)s"


def folders_of(folder: Path, names: Sequence[str]) -> list[ShardFolder]:
    """Those of some trainings: `adapter`, `further` and `pictures`."""
    found = {
        "adapter": adapter.timed_scenes,
        "further": further.timed_scenes,
        "pictures": pictures.timed_scenes,
    }
    return [found[name](folder).shards for name in names]


def make(folder: Path, names: Sequence[str], numbers: range, seconds: float) -> None:
    """The shards of those numbers, one training's after the other's, until so many seconds are over."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format=FORMAT)
    ends_at = time.monotonic() + seconds
    if "pictures" in names and numbers.start == 0:
        pictures.timed_scenes(folder).make_grays()
    for number in numbers:
        for shards in folders_of(folder, names):
            if time.monotonic() > ends_at:
                return
            shards.make(number)


def main() -> None:
    names = ("adapter", "further", "pictures")
    parser = argparse.ArgumentParser(prog="python -m training.ahead", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the trainings look for them")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="of these trainings alone")
    parser.add_argument("--shards", type=int, default=96, help="so many of each training (default 96)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument(
        "--finish-in", type=float, default=1e6, metavar="SECONDS", help="no shard begins later"
    )
    options = parser.parse_args()
    # A process that has begun with a GPU cannot be forked.
    processes = multiprocessing.get_context("spawn")
    workers = [
        processes.Process(
            target=make,
            args=(
                options.folder,
                options.only,
                range(first, options.shards, options.workers),
                options.finish_in,
            ),
        )
        for first in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("not all shards were made: what went wrong stands above.")


if __name__ == "__main__":
    main()
