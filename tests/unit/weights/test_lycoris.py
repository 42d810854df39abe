"""LoHa and LoKr as LyCORIS writes them: the change is that of its formulas, written out here number by number."""

import json

import pytest
import torch
from torch import Tensor

from reelpatch.families.tensor_info import TensorInfo
from reelpatch.weights.lora import match_lora
from reelpatch.weights.lora_alpha import PeftConfig
from reelpatch.weights.lora_header import is_lora, read_lora

State = dict[str, Tensor]
LAYER = "blocks.0.self_attn.q"
SHAPES: dict[str, tuple[int, ...]] = {f"{LAYER}.weight": (6, 8), f"{LAYER}.bias": (6,)}
SPELLINGS = ("lycoris_blocks_0_self_attn_q", f"diffusion_model.{LAYER}", "transformer.blocks.0.attn1.to_q")
PARTS: dict[str, dict[str, tuple[int, int]]] = {
    "LoHa": {"hada_w1_a": (6, 3), "hada_w1_b": (3, 8), "hada_w2_a": (6, 3), "hada_w2_b": (3, 8)},
    "whole LoKr": {"lokr_w1": (2, 4), "lokr_w2": (3, 2)},
    "LoKr, second factored": {"lokr_w1": (2, 4), "lokr_w2_a": (3, 2), "lokr_w2_b": (2, 2)},
    "LoKr, both factored": {"lokr_w1_a": (2, 1), "lokr_w1_b": (1, 4), "lokr_w2_a": (3, 1), "lokr_w2_b": (1, 2)},
}  # fmt: skip
RANKS = {"LoHa": 3, "whole LoKr": None, "LoKr, second factored": 2, "LoKr, both factored": 1}


def made(form: str, spelling: str = SPELLINGS[0], alpha: float | None = 2.0) -> State:
    generator = torch.Generator().manual_seed(0)
    state = {
        f"{spelling}.{part}": torch.randn(shape, generator=generator) for part, shape in PARTS[form].items()
    }
    return state if alpha is None else state | {f"{spelling}.alpha": torch.tensor(alpha)}


def by_hand(state: State, scale: float) -> Tensor:
    """LyCORIS' formulas, one number at a time."""
    parts = {key.rpartition(".")[2]: tensor for key, tensor in state.items()}

    def matrix(name: str) -> Tensor:
        return parts[name] if name in parts else parts[f"{name}_a"] @ parts[f"{name}_b"]

    out = torch.zeros(6, 8)
    is_loha = "hada_w1_a" in parts
    first, second = (matrix(f"{'hada' if is_loha else 'lokr'}_w{i}") for i in (1, 2))
    height, width = second.shape
    for row in range(6):
        for column in range(8):
            left = first[row, column] if is_loha else first[row // height, column // width]
            right = second[row, column] if is_loha else second[row % height, column % width]
            out[row, column] = scale * left * right
    return out


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("form", PARTS)
def test_the_change_is_that_of_the_formula(form: str, spelling: str) -> None:
    rank = RANKS[form]
    for alpha, scale in ((2.0, 2.0 / rank if rank else 1.0), (None, 1.0)):
        state = made(form, spelling, alpha)
        lora = match_lora(state, SHAPES)
        assert not lora.unmatched
        assert lora.num_layers == 1
        torch.testing.assert_close(
            lora.factored[LAYER].product(), by_hand(state, scale), atol=1e-6, rtol=1e-6
        )
        assert is_lora(state)
        header = read_lora({key: TensorInfo("F32", tuple(t.shape), t.nbytes) for key, t in state.items()})
        method = form.split(",", maxsplit=1)[0].rsplit(maxsplit=1)[-1]
        assert (header.base, header.forms, header.refusal) == ("Wan backbone", (method,), "")
        assert header.ranks == ((rank,) if rank else ())


def test_peft_takes_its_own_alpha_for_both() -> None:
    config = PeftConfig.from_json(json.dumps({"peft_type": "LOKR", "r": 4, "alpha": 2}), "x")
    state = made("whole LoKr", f"base_model.model.{LAYER}", None)
    product = match_lora(state, SHAPES, config).factored[LAYER].product()
    torch.testing.assert_close(product, by_hand(state, 0.5), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("form", "change", "reason"),
    [
        ("LoHa", {"hada_w1_b": None}, "one is missing or too many"),
        ("LoHa", {"lokr_w1": (2, 4)}, "one is missing or too many"),
        ("whole LoKr", {"lokr_w2_a": (3, 2)}, "one is missing or too many"),
        ("LoHa", {"hada_w2_b": (3, 9)}, "which a LoHa's are not"),
        ("LoHa", {"hada_w1_a": (6, 2)}, "do not go together"),
        ("LoHa", {"hada_w2_a": (6, 2), "hada_w2_b": (2, 8)}, "do not go together"),
        ("LoHa", {"hada_w1_a": (6, 0), "hada_w1_b": (0, 8)}, "do not go together"),
        ("whole LoKr", {"lokr_w1": (2, 4, 1, 1)}, "do not go together"),
        ("whole LoKr", {"lokr_w1": (4, 4)}, "as a LoKr it changes (12, 8), but the layer is (6, 8)"),
        ("LoHa", {"hada_t1": (3, 3, 1, 1)}, "with a middle tensor (LyCORIS) is not supported"),
        ("LoHa", {"lora_down.weight": (2, 8)}, "has both a pair and a LoHa"),
        ("LoHa", {"alpha": (2,)}, "not that of one number"),
        ("LoHa", {"alpha": ()}, "its alpha is 0, with which a LoHa changes nothing"),
        ("LoHa", {"dora_scale": (6, 1)}, "DoRA is not supported"),
    ],
)
def test_what_cannot_be_applied_is_said_of_every_key(
    form: str, change: dict[str, tuple[int, ...] | None], reason: str
) -> None:
    state = made(form)
    for part, shape in change.items():
        state.pop(f"{SPELLINGS[0]}.{part}", None)
        if shape is not None:
            state[f"{SPELLINGS[0]}.{part}"] = torch.ones(shape) if shape else torch.zeros(())
    lora = match_lora(state, SHAPES)
    assert not lora.num_layers
    assert lora.unmatched.keys() == state.keys()
    assert all(reason in said for said in lora.unmatched.values()), lora.unmatched


def test_two_changes_of_one_layer_are_one_too_many() -> None:
    state = made("LoHa") | made("whole LoKr", SPELLINGS[1])
    lora = match_lora(state, SHAPES)
    assert lora.factored.keys() == {LAYER}
    assert {key.rpartition(".")[0] for key in lora.unmatched} == {SPELLINGS[1]}
    assert all("already" in reason for reason in lora.unmatched.values())
