"""The text encoder as we load it equals the official code, to the printed digits and float32's rounding
(golden/t5_vacefold.json)."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.families.wan.names import umt5_hf_to_wan, umt5_wan_to_hf
from reelpatch.headless.models.text_encoder import TextEncoder, load_text_encoder
from tests.golden.deterministic import make_weights, t5_rule
from tests.golden.rounding import assert_printed, assert_rounds_alike, depth_of

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "t5_vacefold.json").read_text())


@pytest.fixture(scope="module", params=["wan", "hf"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    """The tiny encoder of the goldens, through a file in either naming."""
    config = UMT5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    with torch.device("meta"):
        keys = UMT5EncoderModel(config).state_dict()
    shapes = {
        umt5_hf_to_wan(key): tuple(keys[key].shape) for key in keys if key != "encoder.embed_tokens.weight"
    }
    weights = make_weights(shapes, t5_rule)
    if request.param == "hf":
        weights = {umt5_wan_to_hf(key): tensor for key, tensor in weights.items()}
        weights["encoder.embed_tokens.weight"] = weights["shared.weight"].clone()
    path = tmp_path_factory.mktemp("t5") / "umt5.safetensors"
    words = {"model": {"type": "WordLevel", "vocab": {"</s>": 1, "<unk>": 2}, "unk_token": "<unk>"}}
    save_file(
        weights,
        path,
        metadata={"tokenizer_json": json.dumps({"version": "1.0", "added_tokens": [], **words})},
    )
    return load_text_encoder(path, dtype=torch.float32)


def test_hidden_states(encoder: TextEncoder) -> None:
    golden = GOLDEN["t5"]
    hidden = encoder.hidden_states([3, 7, 11, 42, 1])
    assert hidden.shape == (5, 16)
    assert_printed(hidden, golden, depth_of(encoder.model))


def test_rows_of_true_length_equal_rows_beside_masked_padding(encoder: TextEncoder) -> None:
    ids = torch.tensor([[3, 7, 11, 42, 1, 0, 0, 0]])
    with torch.no_grad():
        padded = encoder.model(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state[0, :5]
    assert_rounds_alike(encoder.hidden_states([3, 7, 11, 42, 1]), padded, depth_of(encoder.model))
