"""Latents of clips that were encoded before, so that the next edit of a clip does not encode it again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

MOST_BYTES = 64 * 2**20  # of latents; 73 frames of 832x480 take 7.6 MB in fp32


class EncodedClips:
    """What a VAE made of clips, in RAM, found again by every number of the clip; the least recently used are dropped.

    A VAE makes the same of the same clip, so that what is found is what would be made, bit for bit.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._made: OrderedDict[Hashable, tuple[Tensor, torch.device]] = OrderedDict()

    def latents(self, video: Tensor, way: Hashable, encode: Callable[[], Tensor]) -> Tensor:
        """What `encode` makes of the video, called only when that is new or was encoded in another `way`.

        Each call gives a tensor of its own, on the device where `encode` makes it.
        """
        key = (way, tuple(video.shape), video.dtype, _digest(video))
        found = self._made.get(key)
        if found is None:
            made = encode()
            self._keep(key, made)
            return made
        self._made.move_to_end(key)
        latents, device = found
        return latents.to(device, copy=True)

    def _keep(self, key: Hashable, made: Tensor) -> None:
        self._made[key] = (made.to("cpu", copy=True), made.device)
        while sum(latents.nbytes for latents, _ in self._made.values()) > self._most_bytes:
            self._made.popitem(last=False)


def _digest(video: Tensor) -> bytes:
    numbers = video.detach().cpu().contiguous().view(torch.uint8).numpy()
    return hashlib.blake2b(numbers.data, digest_size=20).digest()
