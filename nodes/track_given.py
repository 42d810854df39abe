"""Masks that were connected to a mask track when it ran, kept for its editor, which draws them with the track."""

import uuid
from collections import OrderedDict
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MOST_BYTES = 1 << 28  # of all that is kept; the oldest goes first


class GivenMasks:
    """Masks [F, H, W], one for each source frame, as `MaskFrames`."""

    def __init__(self, masks: Tensor) -> None:
        self._masks = masks.cpu()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, height, width)."""
        frames, height, width = self._masks.shape
        return frames, height, width

    def frame(self, number: int) -> NDArray[np.float32]:
        """As `MaskFrames`."""
        mask = self._masks[number]
        return (mask.float() / 255 if mask.dtype == torch.uint8 else mask).numpy()

    def in_bytes(self) -> "GivenMasks":
        """The same with 256 values, in a quarter of the memory: at most half of 1/255 apart."""
        return GivenMasks((self._masks * 255).round().to(torch.uint8))

    @property
    def num_bytes(self) -> int:
        """What it takes in memory."""
        return self._masks.numel() * self._masks.element_size()


class Remembered:
    """The masks of the last runs, by the names that the editors were told. For any thread."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._lock = most_bytes, Lock()
        self._kept: OrderedDict[str, GivenMasks] = OrderedDict()

    def keep(self, masks: GivenMasks) -> str:
        """Keeps masks in bytes, and says their name; "" for masks that are larger than all that may be kept."""
        small = masks.in_bytes()
        if small.num_bytes > self._most:
            return ""
        name = uuid.uuid4().hex
        with self._lock:
            self._kept[name] = small
            while sum(one.num_bytes for one in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return name

    def masks(self, name: str, shape: tuple[int, int, int]) -> GivenMasks | None:
        """The masks of a name, if they are kept still and of a shape (frames, height, width)."""
        with self._lock:
            found = self._kept.get(name)
        return found if found is not None and found.shape == shape else None


REMEMBERED = Remembered()
