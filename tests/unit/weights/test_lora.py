"""Every spelling of a LoRA adds the same to the same parameters, and no key is dropped in silence."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch
from diffusers import WanVACETransformer3DModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.wan import names as wan_names
from reelpatch.weights.lora import match_lora
from reelpatch.weights.lora_alpha import PeftConfig
from reelpatch.weights.lora_keys import read_key

State = dict[str, Tensor]
RANK, ALPHA = 4, 2.0


def _shapes() -> dict[str, tuple[int, ...]]:
    """Parameters of a tiny merged VACE model with an image branch, by native name."""
    with torch.device("meta"):
        model = WanVACETransformer3DModel(
            num_attention_heads=1,
            attention_head_dim=8,
            ffn_dim=12,
            text_dim=6,
            freq_dim=4,
            num_layers=2,
            image_dim=8,
            added_kv_proj_dim=8,
            vace_layers=[0],
            vace_in_channels=96,
        )
    return {wan_names.diffusers_to_native(key): tuple(t.shape) for key, t in model.state_dict().items()}


SHAPES = _shapes()
LAYERS = [name.removesuffix(".weight") for name, shape in SHAPES.items() if len(shape) == 2]
# Ditto's LoRAs have the matrices of the edit blocks, most others those of the main blocks.
TRAINED = [
    layer for layer in LAYERS if layer.startswith(("blocks.", "vace_blocks.")) and "_proj" not in layer
]


def pairs() -> dict[str, tuple[Tensor, Tensor]]:
    """One LoRA: (down, up) by native layer, to be multiplied with alpha / rank."""
    generator = torch.Generator().manual_seed(0)
    return {
        layer: (
            torch.randn(RANK, SHAPES[f"{layer}.weight"][1], generator=generator),
            torch.randn(SHAPES[f"{layer}.weight"][0], RANK, generator=generator),
        )
        for layer in TRAINED
    }


def expected() -> dict[str, Tensor]:
    return {layer: ALPHA / RANK * up @ down for layer, (down, up) in pairs().items()}


def saved(spell: Callable[[str], str], halves: tuple[str, str], alpha: str | None) -> State:
    """The LoRA as a file has it; without an alpha key, the factor is in the tensors."""
    state: State = {}
    for layer, (down, up) in pairs().items():
        name = spell(layer)
        state[f"{name}{halves[0]}"] = down
        state[f"{name}{halves[1]}"] = up if alpha else ALPHA / RANK * up
        if alpha:
            state[f"{name}{alpha}"] = torch.tensor(ALPHA)
    return state


def diffusers(layer: str) -> str:
    return wan_names.native_to_diffusers(layer)


def pipe(layer: str) -> str:
    return f"pipe.{'vace' if layer.startswith('vace') else 'dit'}.{layer}"


A_B, DOWN_UP = (".lora_A.weight", ".lora_B.weight"), (".lora_down.weight", ".lora_up.weight")
NAMINGS: dict[str, State] = {
    "diffusers": saved(diffusers, A_B, None),
    "diffusers with prefix": saved(lambda name: f"transformer.{diffusers(name)}", A_B, ".alpha"),
    "diffusers of old": saved(lambda name: f"transformer.{diffusers(name)}", (".lora.down.weight", ".lora.up.weight"), None),
    "attention processors of old": saved(diffusers, ("_lora.down.weight", "_lora.up.weight"), None),
    "PEFT": saved(lambda name: f"base_model.model.{name}", A_B, None),
    "PEFT of a wrapped model": saved(lambda name: f"base_model.model._orig_mod.{name}", (".lora_A.default.weight", ".lora_B.default.weight"), None),
    "kijai": saved(lambda name: f"diffusion_model.{name}", DOWN_UP, ".alpha"),
    "lightx2v": saved(lambda name: f"diffusion_model.{name}", DOWN_UP, None),
    "core": saved(lambda name: f"model.diffusion_model.{name}", A_B, ".alpha"),
    "core, bare halves": saved(lambda name: f"diffusion_model.{name}", (".lora_A", ".lora_B"), None),
    "DiffSynth": saved(str, (".lora_A.default.weight", ".lora_B.default.weight"), None),
    "DiffSynth with prefix": saved(pipe, (".lora_A.default.weight", ".lora_B.default.weight"), None),
    "finetrainers": saved(lambda name: f"diffusion_model.{diffusers(name)}", A_B, None),
    "kohya": saved(lambda name: f"lora_unet_{name.replace('.', '_')}", DOWN_UP, ".alpha"),
    "kohya on diffusers": saved(lambda name: f"lora_transformer_{diffusers(name).replace('.', '_')}", DOWN_UP, ".alpha"),
    "VideoX-Fun": saved(lambda name: f"lora_unet__{name.replace('.', '_')}", DOWN_UP, ".alpha"),
    "LyCORIS": saved(lambda name: f"lycoris_{name.replace('.', '_')}", DOWN_UP, ".alpha"),
}  # fmt: skip


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_naming_gives_the_same_deltas(naming: str) -> None:
    lora = match_lora(NAMINGS[naming], SHAPES)
    assert not lora.unmatched
    assert not lora.deltas
    assert lora.pairs.keys() == expected().keys()
    assert lora.num_layers == len(TRAINED) == 36
    for layer, delta in expected().items():
        torch.testing.assert_close(lora.pairs[layer].product(), delta, atol=1e-6, rtol=0)


def test_halves_are_handed_through_uncopied() -> None:
    state = NAMINGS["kijai"]
    pair = match_lora(state, SHAPES).pairs["blocks.0.ffn.0"]
    assert pair.down.data_ptr() == state["diffusion_model.blocks.0.ffn.0.lora_down.weight"].data_ptr()
    assert (pair.scale, pair.rank) == (ALPHA / RANK, RANK)


# What lightx2v writes: differences of norms, biases, modulations and of the layers at either end.
_DIFFS = {
    "blocks.0.norm3.weight": ("blocks.0.norm3", "diff"),
    "blocks.1.norm3.bias": ("blocks.1.norm3", "diff_b"),
    "blocks.0.self_attn.norm_q.weight": ("blocks.0.self_attn.norm_q", "diff"),
    "blocks.1.cross_attn.k_img.bias": ("blocks.1.cross_attn.k_img", "diff_b"),
    "blocks.0.ffn.2.bias": ("blocks.0.ffn.2", "diff_b"),
    "blocks.1.modulation": ("blocks.1", "diff_m"),
    "vace_blocks.0.modulation": ("vace_blocks.0", "diff_m"),
    "head.modulation": ("head", "diff_m"),
    "head.head.weight": ("head.head", "diff"),
    "head.head.bias": ("head.head", "diff_b"),
    "patch_embedding.weight": ("patch_embedding", "diff"),
    "vace_patch_embedding.bias": ("vace_patch_embedding", "diff_b"),
    "time_projection.1.bias": ("time_projection.1", "diff_b"),
    "img_emb.proj.4.weight": ("img_emb.proj.4", "diff"),
}


def _diffusers_path(layer: str) -> str:
    try:
        return wan_names.native_to_diffusers(layer)
    except KeyError:  # a block or the head by itself
        return layer


@pytest.mark.parametrize(
    "spell",
    [
        lambda layer: f"diffusion_model.{layer}",
        str,
        lambda layer: f"transformer.{_diffusers_path(layer)}",
        lambda layer: f"lora_unet_{layer.replace('.', '_')}",
        lambda layer: f"lora_unet__{_diffusers_path(layer).replace('.', '_')}",
    ],
    ids=["lightx2v", "bare", "diffusers", "underscores", "diffusers in underscores"],
)
def test_full_differences_reach_their_parameters(spell: Callable[[str], str]) -> None:
    state = {f"{spell(layer)}.{kind}": torch.randn(SHAPES[name]) for name, (layer, kind) in _DIFFS.items()}
    lora = match_lora(state, SHAPES)
    assert not lora.unmatched
    assert lora.deltas.keys() == _DIFFS.keys()
    for name, delta in zip(_DIFFS, state.values(), strict=True):
        assert torch.equal(lora.deltas[name], delta)


@pytest.mark.parametrize(
    ("key", "parameter"),
    [
        ("diffusion_model.blocks.0.modulation.diff", "blocks.0.modulation"),
        ("transformer.blocks.1.scale_shift_table.diff", "blocks.1.modulation"),
        ("scale_shift_table.diff", "head.modulation"),
        ("lycoris_blocks_0_norm3.w_norm", "blocks.0.norm3.weight"),
        ("lycoris_blocks_0_norm3.b_norm", "blocks.0.norm3.bias"),
        ("blocks.0.norm2.diff", "blocks.0.norm3.weight"),
    ],
)
def test_other_spellings_of_differences(key: str, parameter: str) -> None:
    state = {key: torch.randn(SHAPES[parameter])}
    assert torch.equal(match_lora(state, SHAPES).deltas[parameter], state[key])


def test_a_bias_of_the_up_half_is_scaled_with_it() -> None:
    """diffusers turns lightx2v's `diff_b` into it."""
    layer = "transformer.blocks.0.attn1.to_q"
    state = {
        f"{layer}.lora_A.weight": torch.randn(RANK, 8),
        f"{layer}.lora_B.weight": torch.randn(8, RANK),
        f"{layer}.lora_B.bias": torch.randn(8),
        f"{layer}.alpha": torch.tensor(ALPHA),
    }
    lora = match_lora(state, SHAPES)
    assert not lora.unmatched
    torch.testing.assert_close(
        lora.deltas["blocks.0.self_attn.q.bias"], 0.5 * state[f"{layer}.lora_B.bias"], atol=0, rtol=0
    )


def test_a_low_rank_convolution_becomes_a_difference() -> None:
    shape = SHAPES["patch_embedding.weight"]
    down, up = torch.randn(RANK, *shape[1:]), torch.randn(shape[0], RANK, 1, 1, 1)
    name = "lycoris_patch_embedding"
    state = {
        f"{name}.lora_down.weight": down,
        f"{name}.lora_up.weight": up,
        f"{name}.alpha": torch.tensor(ALPHA),
    }
    lora = match_lora(state, SHAPES)
    direct = torch.einsum("or,rcfhw->ocfhw", up.flatten(1), down) * ALPHA / RANK
    assert not lora.unmatched
    torch.testing.assert_close(lora.deltas["patch_embedding.weight"], direct, atol=1e-6, rtol=0)


def test_alphas_of_peft() -> None:
    state = NAMINGS["PEFT"]
    plain = PeftConfig.from_json(json.dumps({"r": RANK, "lora_alpha": 8}), "x")
    assert {pair.scale for pair in match_lora(state, SHAPES, plain).pairs.values()} == {2.0}
    mixed = PeftConfig.from_json(
        json.dumps(
            {
                "transformer.lora_alpha": 8,
                "transformer.alpha_pattern": {"blocks.0.ffn.0": 4},
                "use_rslora": True,
            }
        ),
        "x",
    )
    scales = {name: pair.scale for name, pair in match_lora(state, SHAPES, mixed).pairs.items()}
    assert scales["blocks.1.ffn.0"] == 8 / math.sqrt(RANK)
    assert scales["blocks.0.ffn.0"] == 4 / math.sqrt(RANK)
    own = match_lora(NAMINGS["kijai"], SHAPES, plain).pairs["blocks.0.ffn.0"]
    assert own.scale == ALPHA / RANK  # a key in the file goes before
    assert PeftConfig.from_json("{}", "x") is None


@pytest.mark.parametrize(
    "text",
    ["[1", "[1]", '{"lora_alpha": "x"}', '{"lora_alpha": NaN}', '{"lora_alpha": 1, "alpha_pattern": [3]}'],
)
def test_damaged_settings_are_named(text: str) -> None:
    with pytest.raises(BadInput, match=r"settings in some\.json"):
        PeftConfig.from_json(text, "some.json")


def test_of_200_keys_the_three_foreign_ones_are_named() -> None:
    shapes: dict[str, tuple[int, ...]] = {f"blocks.{i}.self_attn.q.weight": (8, 8) for i in range(99)}
    shapes["blocks.0.self_attn.q.bias"] = (8,)
    state: State = {}
    for i in range(98):
        state[f"diffusion_model.blocks.{i}.self_attn.q.lora_down.weight"] = torch.zeros(RANK, 8)
        state[f"diffusion_model.blocks.{i}.self_attn.q.lora_up.weight"] = torch.zeros(8, RANK)
    state["diffusion_model.blocks.0.self_attn.q.diff_b"] = torch.zeros(8)
    foreign = {
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": "text encoder",
        "diffusion_model.double_blocks.0.img_attn.qkv.lora_down.weight": "no layer of this name",
        "diffusion_model.blocks.98.self_attn.q.hada_w1_a": "LoHa",
    }
    state |= {key: torch.zeros(RANK, 8) for key in foreign}
    assert len(state) == 200
    lora = match_lora(state, shapes)
    assert lora.unmatched.keys() == foreign.keys()
    assert all(reason in lora.unmatched[key] for key, reason in foreign.items())
    assert (len(lora.pairs), len(lora.deltas), lora.num_layers) == (98, 1, 98)


def test_every_key_that_is_not_used_comes_with_its_reason() -> None:
    state = {
        "blocks.0.ffn.0.lora_A.weight": torch.zeros(RANK, 8),
        "blocks.0.ffn.0.lora_B.weight": torch.zeros(12, RANK),
    }
    useful = set(state)
    reasons = {
        "blocks.0.ffn.0.lora_A.other.weight": "second adapter",
        "diffusion_model.blocks.0.ffn.0.lora_A.weight": "change blocks.0.ffn.0 already",
        "diffusion_model.blocks.0.ffn.0.lora_B.weight": "change blocks.0.ffn.0 already",
        "blocks.0.ffn.2.diff_b": "does not fit blocks.0.ffn.2.bias",
        "blocks.0.norm3.alpha": "no pair",
        "blocks.0.self_attn.norm_q.diff_b": "no bias",
        "blocks.9.ffn.0.lora_A.weight": "no layer of this name",
        "blocks.9.ffn.0.alpha": "no layer of this name",
        "blocks.0.self_attn.q.lora_A.weight": "other half",
        "blocks.0.self_attn.k.lora_A.weight": "(4, 5) and (8, 4) do not fit the layer's (8, 8)",
        "blocks.0.self_attn.k.lora_B.weight": "do not fit",
        "blocks.0.self_attn.v.lora_A.weight": "DoRA is not supported",
        "blocks.0.self_attn.v.lora_B.weight": "DoRA is not supported",
        "blocks.0.self_attn.v.dora_scale": "DoRA is not supported",
        "blocks.0.self_attn.o.lokr_w1": "LoKr",
        "blocks.1.self_attn.q.lora_mid.weight": "middle tensor",
        "blocks.1.self_attn.k.set_weight": "replacing a weight",
        "blocks.1.self_attn.v.lora_A.bias": "bias within the pair",
        "vace_blocks.7.self_attn.q.diff_b": "VACE edit module",
        "blocks.7.cross_attn.k_img.diff_b": "image branch",
        "some_note": "no part of a LoRA",
    }
    sizes = {
        "blocks.0.self_attn.k.lora_A.weight": (4, 5),
        "blocks.0.self_attn.k.lora_B.weight": (8, 4),
        "blocks.0.ffn.2.diff_b": (9,),
        "diffusion_model.blocks.0.ffn.0.lora_B.weight": (12, 4),
    }
    state |= {key: torch.zeros(sizes.get(key, (RANK, 8))) for key in reasons}
    lora = match_lora(state, SHAPES)
    assert set(lora.pairs) == {"blocks.0.ffn.0"}
    assert not lora.deltas
    assert lora.unmatched.keys() == state.keys() - useful
    for key, reason in reasons.items():
        assert reason in lora.unmatched[key], key


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"alpha": (0,)}, "not that of one number"),
        ({"alpha": (2,)}, "not that of one number"),
        ({"lora_down.weight": (0, 8), "lora_up.weight": (8, 0)}, "do not fit"),
        ({"lora_down.weight": ()}, "do not fit"),
        ({"lora_up.weight": (8,)}, "do not fit"),
        ({"lora_up.weight": (8, 5)}, "do not fit"),
    ],
)
def test_a_pair_that_cannot_be_used_takes_its_bias_along(
    sizes: dict[str, tuple[int, ...]], reason: str
) -> None:
    usual = {"lora_down.weight": (RANK, 8), "lora_up.weight": (8, RANK), "alpha": (), "lora_up.bias": (8,)}
    layer = "blocks.0.self_attn.q"
    state = {f"{layer}.{part}": torch.ones(size) for part, size in (usual | sizes).items()}
    lora = match_lora(state, SHAPES)
    assert not lora.pairs
    assert not lora.deltas
    assert lora.unmatched.keys() == state.keys()
    assert all(reason in text for text in lora.unmatched.values())


def _spelled() -> Iterator[str]:
    layers = [*LAYERS, "blocks.0.norm3", "head", "blocks.1", "patch_embedding", "blocks.99.ffn.0", "x"]
    tails = [
        ".alpha",
        ".diff",
        ".diff_b",
        ".diff_m",
        ".lora_A",
        ".lora_A.bias",
        ".hada_w1_a",
        ".dora_scale",
        "",
    ]
    for layer in layers:
        for prefix in ("", "diffusion_model.", "lora_unet_", "transformer."):
            yield from (f"{prefix}{layer}{tail}" for tail in (*A_B, *DOWN_UP, *tails))


_TENSORS = st.lists(st.sampled_from([0, 1, RANK, 8, 12]), max_size=3).map(torch.zeros)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(list(_spelled())) | st.text(max_size=20), _TENSORS, max_size=8))
def test_no_file_however_odd_loses_a_key_or_fails(state: State) -> None:
    lora = match_lora(state, SHAPES)
    assert lora.unmatched.keys() <= state.keys()
    assert all(lora.unmatched.values())
    used = Counter(read.part for key in state.keys() - lora.unmatched.keys() if (read := read_key(key)))
    assert used["down"] == used["up"] >= used["alpha"]
    assert used.total() - used["up"] - used["alpha"] == len(lora.pairs) + len(lora.deltas)
    assert used.total() + len(lora.unmatched) == len(state)
    for name, delta in lora.deltas.items():
        assert tuple(delta.shape) == SHAPES[name]
    for layer, pair in lora.pairs.items():
        assert tuple(pair.product().shape) == SHAPES[f"{layer}.weight"]
