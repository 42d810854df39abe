"""What is computed of the text alone is computed once for a text; every result is the same bits as before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor, nn

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceModule
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.same_text import (
    KEPT,
    MOST_FEATURES,
    compute_texts_once,
    text_layers_of_backbone,
    text_layers_of_module,
)
from reelpatch.sampling.strengths import StrengthSchedule
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

ROWS = 16
ALONE = (
    2 + 2 * 3 + 2 * 2
)  # two layers of the projection, and keys and values of three blocks and of the edit module's two
Models = tuple[nn.Module, VaceModule]


@pytest.fixture
def plain() -> Models:
    """A backbone and an edit module that compute everything at every step."""
    return tiny_wan.backbone_and_module()


@pytest.fixture
def once(plain: Models) -> Models:
    """The same weights; what is of the text alone is computed once."""
    backbone, module = copy.deepcopy(plain)
    compute_texts_once(text_layers_of_backbone(backbone))
    compute_texts_once(text_layers_of_module(module))
    return backbone, module


def text(phase: float = 1.0) -> Tensor:
    return make_input((1, ROWS, 24), 0.17, phase)


def step(models: Models, text: Tensor, number: int = 0) -> Tensor:
    """One forward; each number has latents and a noise level of its own."""
    backbone: Any = models[0]
    latents = make_input((1, 4, 3, 4, 6), 0.13, float(number))
    edit = VaceEdit(models[1], [VaceContext(make_input((12, 3, 4, 6), 0.23, 3.0))])
    moment = Moment(0.9 - 0.1 * number, number, 4, (True,))
    return predict_velocity(backbone, latents, text, moment=moment, edits=[edit])


def of_text(work: Callable[[], Any]) -> int:
    """How many products with all rows of a text some work takes."""
    linear, counted = F.linear, [0]

    def counting(x: Tensor, *given: Any) -> Tensor:
        counted[0] += x.shape[-2] == ROWS
        return linear(x, *given)

    with mock.patch.object(F, "linear", counting):
        work()
    return counted[0]


@torch.no_grad()
def test_all_steps_are_the_same_bits_and_the_text_is_computed_at_the_first(
    plain: Models, once: Models
) -> None:
    one, other = text(), text(2.0)
    for number in range(4):  # guidance shows two texts in turn
        for shown in (one, other):
            assert torch.equal(step(once, shown, number), step(plain, shown, number))
            assert of_text(lambda shown=shown: step(plain, shown)) == ALONE
            assert of_text(lambda shown=shown: step(once, shown)) == 0
    assert of_text(lambda: step(once, text(3.0))) == ALONE


@torch.no_grad()
def test_what_was_written_to_is_computed_anew(plain: Models, once: Models) -> None:
    shown = text()
    step(once, shown)
    shown.mul_(2)
    assert torch.equal(step(once, shown), step(plain, shown))
    for models in (plain, once):
        models[0].get_parameter("blocks.1.attn2.to_v.weight").mul_(2)
        layer = models[1].get_submodule("vace_blocks.0.cross_attn.k")
        layer.weight = nn.Parameter(layer.get_parameter("weight") * 2)  # as a merged LoRA is put in its place
    assert torch.equal(step(once, shown), step(plain, shown))


@torch.no_grad()
def test_a_lora_on_these_layers_has_the_strength_of_each_step(
    plain: Models, once: Models, tmp_path: Path
) -> None:
    layers = ("text_embedding.0", "text_embedding.2", "blocks.0.cross_attn.k", "vace_blocks.1.cross_attn.v")
    state = {}
    for number, layer in enumerate(layers):
        columns = 24 if layer == "text_embedding.0" else tiny_wan.DIM
        state[f"diffusion_model.{layer}.lora_A.weight"] = make_input((2, columns), 0.31, float(number))
        state[f"diffusion_model.{layer}.lora_B.weight"] = make_input((tiny_wan.DIM, 2), 0.29, float(number))
    save_file(state, tmp_path / "lora.safetensors")
    shown, strengths = text(), StrengthSchedule((1.0, 0.5, 0.0, 1.0))
    loras = [apply_lora(models, tmp_path / "lora.safetensors", strengths) for models in (plain, once)]
    made = []
    for number in range(4):
        for lora in loras:
            lora.at_step(number, 4)
        made.append(step(once, shown))
        assert torch.equal(made[-1], step(plain, shown))
    assert torch.equal(made[0], made[3])
    assert not torch.equal(made[0], made[1])


def test_gradients_flow_and_inference_mode_computes(plain: Models, once: Models) -> None:
    with torch.no_grad():
        expected = step(once, shown := text())
    shown.requires_grad_()
    step(once, shown).sum().backward()
    assert shown.grad is not None
    assert shown.grad.abs().sum() > 0
    with torch.inference_mode():
        uncounted = text()
        for _ in range(2):
            assert torch.equal(step(once, uncounted), expected)
            uncounted.mul_(2)
            assert torch.equal(step(once, uncounted), step(plain, uncounted))
            uncounted.div_(2)


@torch.no_grad()
def test_few_texts_are_kept_and_by_wide_transformers_none() -> None:
    sizes: dict[str, Any] = tiny_wan.SIZES | {"num_attention_heads": MOST_FEATURES // 64 + 1}
    with torch.device("meta"):
        wide = WanTransformer3DModel(**sizes)
    compute_texts_once(text_layers_of_backbone(wide))
    assert [name for name, part in wide.named_modules() if "forward" in vars(part)] == []
    layer = nn.Linear(8, 8)
    compute_texts_once([layer])
    texts = [make_input((1, ROWS, 8), 0.1, float(number)) for number in range(KEPT + 1)]
    for shown in (*texts[:KEPT], texts[0], texts[KEPT]):
        layer(shown)
    # The second was used least lately.
    asked = [texts[0], *texts[2:], texts[1]]
    assert [of_text(lambda shown=shown: layer(shown)) for shown in asked] == [0, 0, 0, 0, 1]
