"""The sentences of encoded scenes: each embedded once, and a wording drawn for every example of a batch, on the device that trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from training import run
from training.words import encode


class Texts:
    """Sentences by number, and what does not change of their embedding, `[S, TEXT_ROWS, D]`; number 0 is the empty one.

    `embed` takes token ids `[S, MAX_TOKENS]`; what it computes with is not trained.
    """

    def __init__(self, embed: Callable[[Tensor], Tensor]) -> None:
        self._embed = embed
        self._numbers = {"": 0}
        self.table = self._embedded([""])

    def numbers(self, sentences: Sequence[str]) -> list[int]:
        """Those of some sentences, which are embedded if they are new."""
        new = sorted(set(sentences) - self._numbers.keys())
        if new:
            self.table = torch.cat([self.table, self._embedded(new)])
            self._numbers |= {text: len(self._numbers) + place for place, text in enumerate(new)}
        return [self._numbers[text] for text in sentences]

    @torch.no_grad()
    def _embedded(self, sentences: list[str]) -> Tensor:
        return self._embed(encode(sentences).to(run.DEVICE))


class Wordings:
    """The sentences of `N` examples, by their numbers."""

    def __init__(self, wordings: Sequence[Sequence[str]], texts: Texts) -> None:
        most = max(len(words) for words in wordings)
        padded = texts.numbers([text for words in wordings for text in (*words, *[""] * (most - len(words)))])
        self._numbers = torch.tensor(padded, device=run.DEVICE).view(-1, most)
        self._counts = torch.tensor([len(words) for words in wordings], device=run.DEVICE)
        self._texts = texts

    def drawn(self, rows: Tensor, picks: Tensor, is_dropped: Tensor) -> Tensor:
        """The embedding of one wording of each of some rows, `[B, TEXT_ROWS, D]`.

        `picks` `[B]` in [0, 1) say which; where `is_dropped`, it is that of the empty sentence.
        """
        places = (picks.double() * self._counts[rows]).long()
        numbers = self._numbers[rows, places].masked_fill(is_dropped, 0)
        return self._texts.table[numbers]
