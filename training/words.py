"""The demo's word-level tokenizer, with UMT5's ids for padding (0), end of text (1) and unknown (2)."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from reelpatch.headless.demo import scenes

WORDS = ["<pad>", "</s>", "<unk>", *scenes.vocabulary()]
MAX_TOKENS = 12  # the longest sentence has 9 words; then the end of text


def build_tokenizer() -> Tokenizer:
    """Lower case, split at spaces and punctuation, end of text appended."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def encode(sentences: list[str]) -> Tensor:
    """Token ids `[B, MAX_TOKENS]`, padded with 0."""
    tokenizer = build_tokenizer()
    rows = [encoding.ids for encoding in tokenizer.encode_batch(sentences)]
    return torch.tensor([row + [0] * (MAX_TOKENS - len(row)) for row in rows])
