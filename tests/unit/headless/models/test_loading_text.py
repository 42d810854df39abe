"""The text encoder finds its tokenizer, cleans text as Wan does, and fills up with zeros, never with words."""

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
import torch
from torch import Tensor
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.errors import BadInput
from reelpatch.families.wan.names import umt5_hf_to_wan
from reelpatch.headless.models.text_encoder import clean, load_text_encoder
from tests.golden.rounding import assert_rounds_alike, depth_of

State = dict[str, Tensor]
SaveState = Callable[..., Path]

VOCABULARY = {"<pad>": 0, "</s>": 1, "<unk>": 2, "make": 3, "it": 4, "red": 5}
TOKENIZER = json.dumps(
    {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": VOCABULARY, "unk_token": "<unk>"},
    }
)
METADATA = {"tokenizer_json": TOKENIZER}


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    config = UMT5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    weights = UMT5EncoderModel(config).state_dict()
    return {
        umt5_hf_to_wan(key): tensor for key, tensor in weights.items() if key != "encoder.embed_tokens.weight"
    }


@pytest.fixture(scope="module")
def sentencepiece_model() -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["make it red", "make it blue", "remove the blue circle"] * 20),
        model_writer=model,
        vocab_size=20,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  make \n it\tred ", "make it red"),
        ("fish &amp;amp; chips &quot;now&quot;", 'fish & chips "now"'),
        ("cafÃ©", "café"),
        ("", ""),
        ("使它变红。", "使它变红。"),
    ],
)
def test_text_is_cleaned_as_wan_does(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_tokens_end_in_the_end_token(state: State, save: SaveState) -> None:
    encoder = load_text_encoder(save(state, metadata=METADATA), dtype=torch.float32)
    assert encoder.tokens(" make it   red") == [3, 4, 5, 1]
    assert encoder.tokens("Make it red!") == [3, 4, 5, 1]
    assert encoder.tokens("") == [1]
    with pytest.raises(BadInput, match="does not know 'golden'"):
        encoder.tokens("make it golden")


def test_long_text_is_cut_with_a_warning(
    state: State, save: SaveState, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = load_text_encoder(save(state, metadata=METADATA), dtype=torch.float32)
    with caplog.at_level(logging.WARNING):
        assert encoder.tokens("red " * 511) == [5] * 511 + [1]
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert encoder.tokens("red " * 600) == [5] * 511 + [1]
    assert "601 tokens" in caplog.text
    assert "last 89" in caplog.text


def test_embedding_is_the_true_rows_and_zeros(state: State, save: SaveState) -> None:
    encoder = load_text_encoder(save(state, metadata=METADATA), dtype=torch.float32)
    rows = encoder.encode("make it red")
    assert rows.shape == (4, 16)
    embedded = encoder.embed("make it red")
    assert embedded.shape == (1, 512, 4096)
    assert_rounds_alike(embedded[0, :4, :16], rows, depth_of(encoder.model))
    assert embedded.count_nonzero() == rows.count_nonzero()
    assert encoder.embed("make it red", 16, 8).shape == (1, 8, 16)
    assert not torch.equal(encoder.encode("it make red")[2], rows[2])


def test_dtypes(state: State, save: SaveState) -> None:
    path = save(state, metadata=METADATA)
    full = load_text_encoder(path, dtype=torch.float32).encode("make it red")
    for dtype in (torch.bfloat16, torch.float16):
        encoder = load_text_encoder(path, dtype=dtype)
        rows = encoder.encode("make it red")
        assert rows.dtype is dtype
        torch.testing.assert_close(rows.float(), full, atol=0.05, rtol=0.02)


def test_fp8_stays_fp8_and_computes_as_if_widened(state: State, save: SaveState) -> None:
    narrow = {key: tensor.to(torch.float8_e4m3fn) for key, tensor in state.items()}
    encoder = load_text_encoder(save(narrow, metadata=METADATA), dtype=torch.float32)
    kept = [
        name for name, parameter in encoder.model.named_parameters() if parameter.dtype is torch.float8_e4m3fn
    ]
    assert len(kept) == 2 * 7 + 1
    wide = {key: tensor.float() for key, tensor in narrow.items()}
    widened = load_text_encoder(save(wide, "wide.safetensors", METADATA), dtype=torch.float32)
    assert_rounds_alike(encoder.encode("make it red"), widened.encode("make it red"), depth_of(encoder.model))


@pytest.mark.parametrize("place", ["tokenizer.json", "umt5/tokenizer.json", "google/umt5-xxl/tokenizer.json"])
def test_a_tokenizer_beside_the_file_is_found(state: State, save: SaveState, place: str) -> None:
    path = save(state, "umt5.safetensors")
    beside = path.parent / place
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(TOKENIZER)
    assert load_text_encoder(path).tokens("make it red") == [3, 4, 5, 1]


@pytest.mark.parametrize("inside", [True, False])
def test_sentencepiece_inside_or_beside(
    state: State, save: SaveState, sentencepiece_model: bytes, inside: bool
) -> None:
    tensor = torch.frombuffer(bytearray(sentencepiece_model), dtype=torch.uint8)
    path = save(state | ({"spiece_model": tensor} if inside else {}))
    if not inside:
        (path.parent / "spiece.model").write_bytes(sentencepiece_model)
    processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)
    ids = load_text_encoder(path).tokens("make it red")
    assert ids == [*processor.encode("make it red"), 1]
    assert len(ids) > 1


def test_no_tokenizer_says_where_to_get_one(state: State, save: SaveState) -> None:
    path = save(state, "umt5.safetensors")
    with pytest.raises(BadInput, match=r"No tokenizer .*google/umt5-xxl") as error:
        load_text_encoder(path)
    assert str(path.parent / "umt5") in str(error.value)


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        ("{", "can't be read"),
        ('{"version": "1.0"}', "can't be read"),
        (TOKENIZER.replace("</s>", "<end>"), "has no </s> token"),
        (
            TOKENIZER.replace('"red": 5', '"red": 5, ' + ", ".join(f'"w{i}": {i}' for i in range(6, 50))),
            "50 tokens",
        ),
    ],
)
def test_a_tokenizer_that_does_not_belong_is_refused(
    state: State, save: SaveState, tokenizer: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        load_text_encoder(save(state, metadata={"tokenizer_json": tokenizer}))
