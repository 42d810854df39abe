"""Texts as HunyuanVideo-1.5 reads them: what Qwen2.5-VL makes of the instruction, and byT5 of what is quoted in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from reelpatch.headless.hosts.hunyuan15_host import HunyuanText, joined
from reelpatch.headless.models.embedded_texts import KEPT_TEXTS, free_memory
from reelpatch.headless.models.hunyuan15.glyphs import load_glyphs
from reelpatch.headless.models.hunyuan15.qwen import load_qwen
from reelpatch.headless.models.hunyuan15.text_check import quoted
from reelpatch.headless.models.recipe_files import RecipeFiles


class HunyuanTexts:
    """As `OpensTexts`."""

    def open(self, files: RecipeFiles, *, dtype: torch.dtype, device: torch.device) -> OpenedTexts:
        return OpenedTexts(files, dtype, device)


class OpenedTexts:
    """As `TextReader`. Neither encoder is kept: both leave before the backbone needs their room."""

    def __init__(self, files: RecipeFiles, dtype: torch.dtype, device: torch.device) -> None:
        self._files, self._dtype, self._device = files, dtype, device
        self._known: dict[str, HunyuanText] = {}

    def join(self, texts: Sequence[HunyuanText], rows: int) -> HunyuanText:
        return joined(texts, rows)

    def embed(
        self, text: str, *, is_streamed: bool, make_room: Callable[[], None], on_work: Callable[[int], None]
    ) -> HunyuanText:
        """As `TextReader`; on the CPU."""
        known = self._known.pop(text, None)
        if known is None:
            on_work(0)
            make_room()
            known = self._read(text, is_streamed=is_streamed)
            free_memory()
            on_work(1)
        self._known[text] = known  # the one used last stands last
        if len(self._known) > KEPT_TEXTS:
            del self._known[next(iter(self._known))]
        return known

    def _read(self, text: str, *, is_streamed: bool) -> HunyuanText:
        qwen = load_qwen(
            self._files.text_encoder, dtype=self._dtype, device=self._device, is_streamed=is_streamed
        )
        rows = qwen.embed(text).cpu()
        del qwen
        glyphs = torch.zeros(1, 0, 0)
        if quoted(text) and self._files.glyph_encoder is not None:
            glyphs = load_glyphs(self._files.glyph_encoder).embed(text)
        return HunyuanText(rows, glyphs)
