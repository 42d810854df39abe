"""Encoded scenes in shards, files of a folder that a killed run keeps, and that several processes may make."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from training import run

log = logging.getLogger("reelpatch.training")

T = TypeVar("T")
Shard = dict[str, Any]
"""Tensors and sentences by name."""


class ShardFolder:
    """The shards of a folder, each of which `encoded` makes by its number; they are read onto the device that trains, once."""

    def __init__(self, folder: Path, encoded: Callable[[int], Shard]) -> None:
        self._folder, self._encoded = folder, encoded
        self._read: dict[int, Shard] = {}

    def has(self, number: int) -> bool:
        """Whether that shard is there."""
        return self._path(number).exists()

    def make(self, number: int) -> None:
        """That shard, where it is not there yet."""
        if not self.has(number):
            run.save_atomically(self._encoded(number), self._path(number))
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


class JoinedShards(Generic[T]):
    """What the shards of a folder are together, as `join` makes it of them; `enough` of them have to be there to begin with."""

    def __init__(self, shards: ShardFolder, join: Callable[[list[Shard]], T], enough: int) -> None:
        self.shards = shards
        self._join, self._enough = join, enough
        self._joined: tuple[int, T] | None = None

    def first(self, count: int) -> T:
        """Of the first `count` shards; those that are not there are made."""
        return self._of(self.shards.first(count))

    def ready(self) -> T | None:
        """Of the shards that are there, None while they are too few."""
        parts = self.shards.there()
        return self._of(parts) if len(parts) >= self._enough else None

    def _of(self, parts: list[Shard]) -> T:
        if self._joined is None or self._joined[0] != len(parts):
            self._joined = len(parts), self._join(parts)
        return self._joined[1]
