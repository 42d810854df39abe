"""Finds the tokenizer that belongs to a text encoder file, inside the file or beside it."""

import json
from collections.abc import Callable
from pathlib import Path

from safetensors import safe_open
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from reelpatch.errors import BadInput
from reelpatch.headless.models.text_checks import TOKENIZER_KEY
from reelpatch.weights.closed_vocabulary import ClosedVocabulary
from reelpatch.weights.header import KnownFile

SENTENCEPIECE_TENSOR = "spiece_model"  # the name in ComfyUI's umt5 files: the sentencepiece model as bytes
_END = "</s>"
# Beside the encoder: in a folder of the encoder's own name, at the place of the official download, or next to it.
_FOLDERS = ("{stem}", "google/umt5-xxl", "umt5-xxl", "")
_SOURCE = "https://huggingface.co/google/umt5-xxl"

Tokenize = Callable[[str], list[int]]


def find_tokenizer(file: KnownFile) -> Tokenize:
    """Text to token ids, the closing `</s>` included; a word that a closed vocabulary lacks is `BadInput`.

    Raises: `BadInput` where there is none, saying where to get it, and for one with more tokens than the encoder.
    """
    num_tokens, tokenize = _from_inside(file) or _from_beside(file.path)
    num_rows = file.shape("token_embedding.weight")[0]
    if num_tokens > num_rows:
        raise BadInput(
            f"The tokenizer of {file.path} has {num_tokens} tokens but the encoder only {num_rows}; use its own."
        )
    return tokenize


def _from_inside(file: KnownFile) -> tuple[int, Tokenize] | None:
    if text := file.metadata.get(TOKENIZER_KEY):
        return _from_json(text, file.path)
    if SENTENCEPIECE_TENSOR in file.keys:
        with safe_open(file.path, framework="np") as tensors:
            return _from_sentencepiece(
                tensors.get_tensor(file.keys[SENTENCEPIECE_TENSOR]).tobytes(), file.path
            )
    return None


def _from_beside(path: Path) -> tuple[int, Tokenize]:
    for folder in _FOLDERS:
        place = path.parent / folder.format(stem=path.stem)
        if (found := place / "tokenizer.json").is_file():
            return _from_json(found.read_text(encoding="utf-8"), found)
        if (found := place / "spiece.model").is_file():
            return _from_sentencepiece(found.read_bytes(), found)
    raise BadInput(
        f"No tokenizer is in {path} or beside it; put tokenizer.json or spiece.model of {_SOURCE} "
        f"into {path.parent / path.stem}."
    )


def _from_json(text: str, source: Path) -> tuple[int, Tokenize]:
    try:
        tokenizer = Tokenizer.from_str(json.dumps(json.loads(text)))
    except Exception as error:  # the library raises a bare Exception for a bad file
        raise BadInput(f"The tokenizer of {source} can't be read ({error}); download it again.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    end = tokenizer.token_to_id(_END)
    if end is None:
        raise BadInput(f"The tokenizer of {source} has no {_END} token; use the one of {_SOURCE}.")
    closed = ClosedVocabulary.of(text)
    # Not the file's own post-processor: some add the end token, some do not.
    return tokenizer.get_vocab_size(), lambda prompt: [
        *tokenizer.encode(closed.known(prompt) if closed else prompt, add_special_tokens=False).ids,
        end,
    ]


def _from_sentencepiece(model: bytes, source: Path) -> tuple[int, Tokenize]:
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise BadInput(f"The sentencepiece model of {source} can't be read; download it again.") from error
    return processor.GetPieceSize(), lambda prompt: [*processor.EncodeAsIds(prompt), processor.eos_id()]
