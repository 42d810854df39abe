"""Qwen2.5-VL, which reads the instruction for HunyuanVideo-1.5, on transformers' implementation of its language model.

It reads a fixed request in front of the instruction, whose own rows are left off, and its last two layers are not run. It is shown no
picture. Source: Tencent's HunyuanVideo-1.5, as diffusers' pipeline runs it.
"""

import json
import logging
import re
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2Model

from reelpatch.errors import BadInput
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.families.hunyuan15.text_counts import SKIPPED_LAYERS, TEXT_ROWS
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.hunyuan15.text_check import SOURCE, tokenizer_file
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.weights.header import KnownFile
from reelpatch.weights.weight_files import expect_weights

_log = logging.getLogger(__name__)
_HEAD_DIM, _ROPE_THETA, _EPSILON = 128, 1_000_000.0, 1e-6  # of Qwen2.5, which no file tells
_STORED = re.compile(r"(layers\.\d+\..*_proj|embed_tokens)\.weight")
_BESIDE = ("visual.", "lm_head.", "norm.")
_GAP = " " * 8  # the pipeline's own text runs over lines with the spaces that indent them
REQUEST = (
    "You are a helpful assistant. Describe the video by detailing the following aspects:"
    f" {_GAP}1. The main content and theme of the video."
    f" {_GAP}2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    f" {_GAP}3. Actions, events, behaviors temporal relationships, physical movement changes of the objects."
    f" {_GAP}4. background environment, light, style and atmosphere."
    f" {_GAP}5. camera angles, movements, and transitions used in the video."
)
BEFORE = f"<|im_start|>system\n{REQUEST}<|im_end|>\n<|im_start|>user\n"
AFTER = "<|im_end|>\n<|im_start|>assistant\n"


class Qwen:
    """Text to the rows that the backbone attends to. `model` runs all that is read of it, and nothing more."""

    def __init__(self, model: Qwen2Model, tokenizer: Tokenizer) -> None:
        self.model, self._tokenizer = model, tokenizer

    def tokens(self, text: str) -> tuple[list[int], int]:
        """Ids of the whole of what is read, and how many stand in front of the text; longer ones are cut with a warning."""
        num_before = len(self._ids(BEFORE))
        ids = self._ids(f"{BEFORE}{text or ' '}{AFTER}")
        too_many = len(ids) - num_before - TEXT_ROWS
        if too_many > 0:
            _log.warning(
                "The instruction has %d tokens and the backbone takes %d: its last %d are not used; shorten it.",
                len(ids) - num_before,
                TEXT_ROWS,
                too_many,
            )
        return ids[: num_before + TEXT_ROWS], num_before

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    @torch.no_grad()
    def embed(self, text: str) -> Tensor:
        """Hidden states [1, rows, width] of the text, and of what ends it, in the encoder's dtype."""
        ids, num_before = self.tokens(text)
        table = self.model.embed_tokens
        embedded = table(torch.tensor([ids], device=table.weight.device))
        # The table may wait in RAM while the rest computes on a card.
        device = cast(Any, self.model.layers[0]).input_layernorm.weight.device
        seen = self.model(inputs_embeds=embedded.to(device), use_cache=False).last_hidden_state
        return seen[:, num_before:]


def load_qwen(path: Path, *, dtype: torch.dtype, device: torch.device, is_streamed: bool = False) -> Qwen:
    """The language model of a Qwen2.5-VL file, with the tokenizer that lies beside it; what sees is left out.

    One that is streamed leaves its weights where they are and computes on the device.
    Raises: `BadInput` for files of another kind, keys that do not fit, or no tokenizer.
    """
    file = expect_weights(path, HunyuanFile.QWEN)
    tokenizer = find_tokenizer(path)
    config = _config(file)
    with torch.device("meta"):
        model = Qwen2Model(config)
    model.set_submodule("norm", nn.Identity())
    last = config.num_hidden_layers
    left_out = {f"layers.{number}." for number in range(last, last + SKIPPED_LAYERS)}
    rotary = type(model.rotary_emb)(config=config)  # its table is computed, not stored
    model.rotary_emb = rotary
    fill(
        model,
        file,
        str,
        precision=Precision(dtype, stored=_STORED),
        device=torch.device("cpu") if is_streamed else device,
        ignored=frozenset(name for name in file.keys if name.startswith((*_BESIDE, *left_out))),
    )
    rotary.to(device)
    if is_streamed:
        stream_blocks(model, list(model.layers), device, stays=[model.embed_tokens])
    return Qwen(model, tokenizer)


def find_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer beside a Qwen2.5-VL file. Raises: `BadInput` where there is none, or none that can be read."""
    found = tokenizer_file(path)
    try:
        tokenizer = Tokenizer.from_str(json.dumps(json.loads(found.read_text(encoding="utf-8"))))
    except Exception as error:  # the library raises a bare Exception for a bad file
        raise BadInput(f"The tokenizer of {found} can't be read ({error}); download it again.") from error
    if tokenizer.token_to_id("<|im_start|>") is None:
        raise BadInput(f"The tokenizer of {found} does not know <|im_start|>; use the one of {SOURCE}.")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _config(file: KnownFile) -> Qwen2Config:
    vocabulary, width = file.shape("embed_tokens.weight")
    layer = "layers.0"
    # Some versions of transformers have the last two by name, others as options.
    theta_and_heads: dict[str, Any] = {"head_dim": _HEAD_DIM, "rope_theta": _ROPE_THETA}
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=file.shape(f"{layer}.mlp.up_proj.weight")[0],
        num_hidden_layers=max(1, file.count("layers") - SKIPPED_LAYERS),
        num_attention_heads=file.shape(f"{layer}.self_attn.q_proj.weight")[0] // _HEAD_DIM,
        num_key_value_heads=file.shape(f"{layer}.self_attn.k_proj.weight")[0] // _HEAD_DIM,
        rms_norm_eps=_EPSILON,
        **theta_and_heads,
    )
