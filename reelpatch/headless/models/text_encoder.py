"""The instruction as UMT5 hidden states, on transformers' implementation."""

import html
import logging
import re
from pathlib import Path

import ftfy
import torch
from torch import Tensor
from transformers import UMT5Config, UMT5EncoderModel
from transformers.models.umt5.modeling_umt5 import UMT5DenseGatedActDense

from reelpatch.families.wan.names import umt5_wan_to_hf
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.headless.models.tokenizer import SENTENCEPIECE_TENSOR, Tokenize, find_tokenizer
from reelpatch.weights.header import Kind, KnownFile
from reelpatch.weights.weight_files import expect_weights

_log = logging.getLogger(__name__)

TEXT_ROWS = 512
TEXT_DIM = 4096
_MAX_DISTANCE = 128
_FP32 = frozenset({"fc2"})  # overflows in fp16; transformers keeps it in fp32 for the same reason
_STORED = re.compile(r"(blocks\..*\.(q|k|v|o|gate\.0|fc1|fc2)|token_embedding)\.weight")
_NOT_WEIGHTS = frozenset(
    {"encoder.embed_tokens.weight", SENTENCEPIECE_TENSOR}
)  # the first is shared.weight again


def clean(text: str) -> str:
    """The text as Wan was trained on it: mojibake and HTML entities undone, each run of whitespace one space."""
    return re.sub(r"\s+", " ", html.unescape(html.unescape(ftfy.fix_text(text)))).strip()


class _FeedForward(UMT5DenseGatedActDense):
    """UMT5's feed-forward layer with its last weight in any dtype; transformers casts the activations to it."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.wo(self.act(self.wi_0(hidden_states)) * self.wi_1(hidden_states))


class TextEncoder:
    """Text to the rows that the backbone attends to."""

    def __init__(self, model: UMT5EncoderModel, tokenize: Tokenize) -> None:
        self.model = model
        self._tokenize = tokenize

    def tokens(self, text: str) -> list[int]:
        """Ids of the cleaned text, `</s>` last; cut to 512 with a warning. Empty text is `</s>` alone."""
        ids = self._tokenize(clean(text))
        if len(ids) <= TEXT_ROWS:
            return ids
        _log.warning(
            "The instruction has %d tokens and the backbone takes %d: its last %d are not used; shorten it.",
            len(ids),
            TEXT_ROWS,
            len(ids) - TEXT_ROWS,
        )
        return [*ids[: TEXT_ROWS - 1], ids[-1]]

    def encode(self, text: str) -> Tensor:
        """Hidden states [rows, width], one row per token."""
        return self.hidden_states(self.tokens(text))

    @torch.no_grad()
    def hidden_states(self, ids: list[int]) -> Tensor:
        """Hidden states [len(ids), width] in the encoder's dtype."""
        # No mask and no padding: rows of true length are the same as rows beside masked padding.
        table = self.model.shared
        embedded = table(torch.tensor([ids], device=table.weight.device))
        # The table may wait in RAM while the rest computes on a card.
        device = self.model.encoder.final_layer_norm.weight.device
        return self.model(inputs_embeds=embedded.to(device)).last_hidden_state[0]

    def embed(self, text: str, text_dim: int = TEXT_DIM, rows: int = TEXT_ROWS) -> Tensor:
        """What the backbone takes, [1, rows, text_dim]: the hidden states, zeros below them and, for an encoder
        narrower than `text_dim` as the demo's is, zeros beside them. Wan attends to the zero rows too."""
        hidden = self.encode(text)
        return torch.nn.functional.pad(hidden, (0, text_dim - hidden.shape[1], 0, rows - hidden.shape[0]))[
            None
        ]


def load_text_encoder(
    path: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    device: torch.device | str = "cpu",
    is_streamed: bool = False,
) -> TextEncoder:
    """A UMT5 encoder of any size in Wan or Hugging Face naming, with the tokenizer that is in or beside its file.

    One that is streamed leaves its weights where they are and computes on the device.

    Raises: `BadInput` for files of another kind, keys that do not fit, or no tokenizer.
    """
    file = expect_weights(path, Kind.UMT5)
    tokenize = find_tokenizer(file)
    config = _config(file)
    with torch.device("meta"):
        model = UMT5EncoderModel(config)
        if dtype is not torch.float16:
            for name, layer in list(model.named_modules()):
                if isinstance(layer, UMT5DenseGatedActDense):
                    model.set_submodule(name, _FeedForward(config))
    model.encoder.embed_tokens = model.shared  # transformers 5.0 ties them only where it loads itself
    fill(
        model,
        file,
        umt5_wan_to_hf,
        precision=Precision(dtype, _FP32 if dtype is torch.float16 else frozenset(), _STORED),
        device=torch.device("cpu" if is_streamed else device),
        ignored=_NOT_WEIGHTS,
    )
    model.encoder.embed_tokens = model.shared  # which may be another layer now, one that holds fp8
    if is_streamed:
        stream_blocks(model, list(model.encoder.block), torch.device(device), stays=[model.shared])
    return TextEncoder(model, tokenize)


def _config(file: KnownFile) -> UMT5Config:
    num_tokens, width = file.shape("token_embedding.weight")
    num_buckets, num_heads = file.shape("blocks.0.pos_embedding.embedding.weight")
    return UMT5Config(
        vocab_size=num_tokens,
        d_model=width,
        d_kv=file.shape("blocks.0.attn.q.weight")[0] // num_heads,
        d_ff=file.shape("blocks.0.ffn.fc1.weight")[0],
        num_layers=file.count("blocks"),
        num_heads=num_heads,
        relative_attention_num_buckets=num_buckets,
        relative_attention_max_distance=_MAX_DISTANCE,
    )
