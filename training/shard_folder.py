"""Encoded scenes in shards, files of a folder that a killed run keeps, and that several processes may make."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from training import run

log = logging.getLogger("reelpatch.training")

Shard = dict[str, Any]
"""Tensors and sentences by name."""


class ShardFolder:
    """The shards of a folder, each of which `encoded` makes by its number; they are read onto the device that trains, once."""

    def __init__(self, folder: Path, encoded: Callable[[int], Shard]) -> None:
        self._folder, self._encoded = folder, encoded
        self._read: dict[int, Shard] = {}

    def make(self, number: int) -> None:
        """That shard, where it is not there yet."""
        path = self._path(number)
        if not path.exists():
            run.save_atomically(self._encoded(number), path)
            log.info("encoded shard %d of %s", number, self._folder.name)

    def first(self, count: int) -> list[Shard]:
        """The first `count` shards; those that are not there are made."""
        for number in range(count):
            self.make(number)
        return [self._shard(number) for number in range(count)]

    def there(self) -> list[Shard]:
        """The shards that are there, in the order of their numbers."""
        return [self._shard(int(path.stem)) for path in sorted(self._folder.glob("*.pt"))]

    def _shard(self, number: int) -> Shard:
        if number not in self._read:
            self._read[number] = torch.load(self._path(number), map_location=run.DEVICE, weights_only=True)
        return self._read[number]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.pt"
