"""Texts as the backbone reads them: from memory, from disk, else from the text encoder, which is not kept if large."""

import gc
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.headless.models.text_cache import TextCache
from reelpatch.headless.models.text_encoder import TextEncoder, clean, load_text_encoder

# A text encoder up to this size stays between edits, and nothing it says is kept on disk; a larger one leaves before
# the backbone needs its room.
KEPT_ENCODER_BYTES = 2**30
KEPT_TEXTS = 4
"""How many embedded texts stay in memory, 4 to 8 MB each: an instruction, a negative prompt, and those before."""


class Instructions:
    """Embeds texts with the encoder in a file; `cache` is for large encoders, None to keep nothing on disk."""

    def __init__(
        self, encoder: Path, *, dtype: torch.dtype, device: torch.device, cache: TextCache | None
    ) -> None:
        self._path = encoder
        # fp16 overflows in UMT5.
        self._dtype = torch.bfloat16 if dtype == torch.float16 else dtype
        self._device = device
        self._is_large = encoder.stat().st_size > KEPT_ENCODER_BYTES
        self._cache = cache if self._is_large else None
        self._known: dict[str, Tensor] = {}
        self._encoder: TextEncoder | None = None

    def join(self, texts: Sequence[Tensor], rows: int) -> Tensor:
        """As `TextReader`."""
        return joined_texts(texts, rows)

    def embed(
        self, text: str, *, is_streamed: bool, make_room: Callable[[], None], on_work: Callable[[int], None]
    ) -> Tensor:
        """Rows of a text, [1, rows, 4096] on the CPU.

        `make_room` is called before a large encoder is loaded; `on_work` hears 0 and 1 where the text was not in memory.
        """
        rows = self._known.pop(text, None)
        if rows is None:
            on_work(0)
            rows = self._from_disk(text, is_streamed=is_streamed, make_room=make_room)
            on_work(1)
        self._known[text] = rows  # the one used last stands last
        if len(self._known) > KEPT_TEXTS:
            del self._known[next(iter(self._known))]
        return rows

    def _from_disk(self, text: str, *, is_streamed: bool, make_room: Callable[[], None]) -> Tensor:
        found = self._cache.find(clean(text), self._path, self._dtype) if self._cache else None
        if found is not None:
            return padded_text(found)
        if self._encoder is None:
            if self._is_large:
                make_room()
            self._encoder = load_text_encoder(
                self._path, dtype=self._dtype, device=self._device, is_streamed=is_streamed
            )
        try:
            rows = self._encoder.embed(text).cpu()
        finally:
            if self._is_large:
                self._encoder = None
                free_memory()
        if self._cache:
            self._cache.keep(clean(text), self._path, self._dtype, rows)
        return rows


def free_memory(gone: Sequence[weakref.ref[Any]] = ()) -> None:
    """Gives back what is no longer referred to; cycles are looked for unless all that was to be `gone` is gone without."""
    if not gone or any(one() is not None for one in gone):
        gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


TEXT_ROWS = 512  # Wan pads the text to this length and attends to the padding


def padded_text(text: Tensor) -> Tensor:
    """A text embedding with zero rows up to 512, `[rows, 4096]` or `[1, rows, 4096]` -> `[1, 512, 4096]`."""
    text = text.reshape(-1, *text.shape[-2:])
    if text.shape[1] > TEXT_ROWS:
        raise BadInput(
            f"a text of {text.shape[1]} tokens is longer than the {TEXT_ROWS} the model reads: shorten it."
        )
    num_missing = TEXT_ROWS - text.shape[1]
    return F.pad(text, (0, 0, 0, num_missing)) if num_missing else text  # uncopied, at every step


def joined_texts(texts: Sequence[Tensor], rows: int) -> Tensor:
    """Texts that run as one, each for so many rows: [rows * texts, 512, 4096]. A text of two clips has a row for each."""
    padded = [padded_text(text).expand(rows, -1, -1) for text in texts]
    return padded[0] if len(padded) == 1 else torch.cat(padded)
