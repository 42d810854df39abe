"""Every common spelling of a LoRA key finds its layer, and no key is dropped in silence."""

import pytest
import torch

from reelpatch.weights.lora import match_lora

_RANK = 2
_LAYERS = {
    "blocks.0.self_attn.q": (6, 4),
    "blocks.0.cross_attn.o": (6, 4),
    "blocks.0.ffn.0": (6, 4),
    "vace_blocks.0.self_attn.q": (6, 4),
}


def _pair(down_key: str, up_key: str) -> dict[str, torch.Tensor]:
    return {down_key: torch.randn(_RANK, 4), up_key: torch.randn(6, _RANK)}


@pytest.mark.parametrize(
    ("layer", "prefix", "spelling"),
    [
        (
            "blocks.0.self_attn.q",
            "diffusion_model.blocks.0.self_attn.q",
            ("lora_down.weight", "lora_up.weight"),
        ),
        ("blocks.0.self_attn.q", "diffusion_model.blocks.0.self_attn.q", ("lora_A.weight", "lora_B.weight")),
        ("blocks.0.ffn.0", "blocks.0.ffn.0", ("lora_A.default.weight", "lora_B.default.weight")),
        ("blocks.0.cross_attn.o", "transformer.blocks.0.attn2.to_out.0", ("lora_A.weight", "lora_B.weight")),
        ("blocks.0.ffn.0", "blocks.0.ffn.net.0.proj", ("lora_A.weight", "lora_B.weight")),
        ("blocks.0.ffn.0", "base_model.model.blocks.0.ffn.0", ("lora_A.weight", "lora_B.weight")),
        (
            "vace_blocks.0.self_attn.q",
            "vace_blocks.0.self_attn.q",
            ("lora_A.default.weight", "lora_B.default.weight"),
        ),
        (
            "vace_blocks.0.self_attn.q",
            "pipe.vace.vace_blocks.0.self_attn.q",
            ("lora_A.weight", "lora_B.weight"),
        ),
    ],
)
def test_spellings(layer: str, prefix: str, spelling: tuple[str, str]) -> None:
    state = _pair(*(f"{prefix}.{half}" for half in spelling))
    lora = match_lora(state, _LAYERS)
    assert not lora.unmatched
    assert list(lora.pairs) == [layer]
    pair = lora.pairs[layer]
    down, up = state.values()
    assert pair.down is down
    assert pair.up is up
    assert (pair.scale, pair.rank) == (1.0, _RANK)


def test_alpha_is_divided_by_the_rank() -> None:
    state = _pair("blocks.0.ffn.0.lora_down.weight", "blocks.0.ffn.0.lora_up.weight")
    state["blocks.0.ffn.0.alpha"] = torch.tensor(8.0)
    assert match_lora(state, _LAYERS).pairs["blocks.0.ffn.0"].scale == 4.0


def test_every_key_that_is_not_used_comes_with_its_reason() -> None:
    state = {
        **_pair("blocks.0.ffn.0.lora_A.weight", "blocks.0.ffn.0.lora_B.weight"),
        "blocks.0.ffn.0.diff_b": torch.zeros(6),
        "blocks.0.ffn.0.dora_scale": torch.zeros(6),
        **_pair("blocks.9.ffn.0.lora_A.weight", "blocks.9.ffn.0.lora_B.weight"),
        "blocks.9.ffn.0.alpha": torch.tensor(2.0),
        "blocks.0.self_attn.q.lora_A.weight": torch.zeros(_RANK, 4),
        "vace_blocks.0.self_attn.q.lora_A.weight": torch.zeros(_RANK, 5),
        "vace_blocks.0.self_attn.q.lora_B.weight": torch.zeros(6, _RANK),
    }
    lora = match_lora(state, _LAYERS)
    assert list(lora.pairs) == ["blocks.0.ffn.0"]
    assert set(lora.unmatched) == set(list(state)[2:])
    assert "delta" in lora.unmatched["blocks.0.ffn.0.diff_b"]
    assert "no layer" in lora.unmatched["blocks.9.ffn.0.lora_A.weight"]
    assert "other half" in lora.unmatched["blocks.0.self_attn.q.lora_A.weight"]
    assert "(2, 5)" in lora.unmatched["vace_blocks.0.self_attn.q.lora_A.weight"]
