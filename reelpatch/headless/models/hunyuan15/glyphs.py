"""byT5, which reads quoted text for HunyuanVideo-1.5 letter by letter, on transformers' implementation."""

import logging
import re
from pathlib import Path

import torch
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.families.hunyuan15.text_counts import GLYPH_ROWS
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.hunyuan15.text_check import quoted
from reelpatch.weights.header import KnownFile
from reelpatch.weights.weight_files import expect_weights

_log = logging.getLogger(__name__)
_FIRST_BYTE, _END = 3, 1  # ids: padding, end and unknown stand before those of bytes
_EMBEDDING, _TWIN = "shared.weight", "encoder.embed_tokens.weight"
_COUNTED = re.compile(r"encoder\.block\.(\d+)\.")


def tokens(text: str) -> list[int]:
    """Ids of the bytes of all that a text quotes, as byT5 was trained to read them; cut to 256 with a warning."""
    told = "".join(f'Text "{one}". ' for one in quoted(text))
    ids = [*(byte + _FIRST_BYTE for byte in told.encode()), _END]
    if len(ids) <= GLYPH_ROWS:
        return ids
    _log.warning(
        "The quoted text has %d bytes and the backbone takes %d: the last %d are not used; quote less.",
        len(ids),
        GLYPH_ROWS,
        len(ids) - GLYPH_ROWS,
    )
    return [*ids[: GLYPH_ROWS - 1], _END]


class GlyphEncoder:
    """Quoted text to the rows that the backbone attends to, in fp32 on the CPU."""

    def __init__(self, model: T5EncoderModel) -> None:
        self.model = model

    @torch.no_grad()
    def embed(self, text: str) -> Tensor:
        """Hidden states [1, rows, width], one row per byte."""
        return self.model(input_ids=torch.tensor([tokens(text)])).last_hidden_state


def load_glyphs(path: Path) -> GlyphEncoder:
    """A byT5 encoder of any size in transformers' naming. Raises: `BadInput` for files of another kind or with keys that do not fit."""
    file = expect_weights(path, HunyuanFile.BYT5)
    with torch.device("meta"):
        model = T5EncoderModel(_config(file))
    model.encoder.embed_tokens = model.shared
    ignored = {_TWIN} if _EMBEDDING in file.keys else set[str]()
    fill(
        model,
        file,
        lambda name: _EMBEDDING if name == _TWIN else name,
        precision=Precision(torch.float32),
        device=torch.device("cpu"),
        ignored=ignored,
    )
    return GlyphEncoder(model)


def _config(file: KnownFile) -> T5Config:
    first = "encoder.block.0.layer"
    vocabulary, width = file.shape(_EMBEDDING if _EMBEDDING in file.keys else _TWIN)
    num_buckets, num_heads = file.shape(f"{first}.0.SelfAttention.relative_attention_bias.weight")
    numbers = [int(found[1]) for name in file.keys if (found := _COUNTED.match(name))]
    return T5Config(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=file.shape(f"{first}.0.SelfAttention.q.weight")[0] // num_heads,
        d_ff=file.shape(f"{first}.1.DenseReluDense.wi_0.weight")[0],
        num_layers=1 + max(numbers),
        num_heads=num_heads,
        relative_attention_num_buckets=num_buckets,
        feed_forward_proj="gated-gelu",
    )
