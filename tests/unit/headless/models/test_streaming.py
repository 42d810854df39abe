"""Weights that are there only while their layer runs give the same bits as weights that stay.

There is one memory here, so diffusers' two ways to move a group are replaced by taking its numbers away, NaN in their
place, and giving them back; its hooks, and so the moments at which that happens, are its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.hooks.group_offloading import ModuleGroup
from safetensors.torch import save_file
from torch import Tensor, nn

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.errors import BadInput
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models import chosen_recipe
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.models.placement import Placement, card_bytes, place
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.models.streaming import at_hand, stream_blocks
from reelpatch.headless.models.text_encoder import load_text_encoder
from reelpatch.plan.job import Job
from reelpatch.plan.memory import GIB
from reelpatch.recipes import recipe
from tests.conftest import moving_square
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input
from tests.golden.rounding import assert_rounds_alike, depth_of

CPU = torch.device("cpu")
LATENTS, TEXT = make_input((1, 4, 3, 4, 6)), make_input((1, 512, 24), 0.17, 1.0)
CONTEXT = make_input((12, 3, 4, 6), 0.23, 3.0)


@pytest.fixture(autouse=True)
def two_memories(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[int, tuple[Tensor, Tensor]] = {}

    def tensors(group: ModuleGroup) -> list[Tensor]:
        of_modules = [t for module in group.modules for t in (*module.parameters(), *module.buffers())]
        return [*of_modules, *group.parameters, *group.buffers]

    def take(group: ModuleGroup) -> None:
        for tensor in tensors(group):
            kept.setdefault(id(tensor), (tensor, tensor.data))
            tensor.data = nans_like(tensor.data)

    def give(group: ModuleGroup) -> None:
        for tensor in tensors(group):
            tensor.data = kept[id(tensor)][1]

    monkeypatch.setattr(ModuleGroup, "_offload_to_memory", take)
    monkeypatch.setattr(ModuleGroup, "_onload_from_memory", give)


def nans_like(tensor: Tensor) -> Tensor:
    return torch.full((tensor.nbytes,), 255, dtype=torch.uint8).view(tensor.dtype).view(tensor.shape)


def is_away(model: nn.Module) -> bool:
    """Whether all the matrices of a part of a model are."""
    return all(bool(p.isnan().all()) for p in model.parameters() if p.ndim == 2)


@torch.no_grad()
def run(models: tuple[Any, Any], **options: Any) -> Tensor:
    backbone, module = models
    edits = [VaceEdit(module, [VaceContext(CONTEXT)])]
    moment = Moment(0.625, 0, 4, (True,))
    return predict_velocity(backbone, LATENTS, TEXT, moment=moment, edits=edits, **options)


def test_a_part_for_which_memory_ended_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    block, x = nn.ModuleDict({"ffn": nn.Linear(4, 4)}), torch.ones(1, 4)
    expected = block["ffn"](x)
    stream_blocks(block, [block], CPU)

    def full(_group: ModuleGroup) -> None:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patched:
        patched.setattr(ModuleGroup, "_onload_from_memory", full)
        with pytest.raises(torch.OutOfMemoryError), at_hand(block["ffn"]):
            pass
    assert torch.equal(block["ffn"](x), expected)


def make_models() -> tuple[Any, Any]:
    backbone, module = tiny_wan.backbone_and_module()
    return backbone, module


def stream_all(models: tuple[Any, Any]) -> tuple[Any, Any]:
    backbone, module = models
    stream_blocks(backbone, list(backbone.blocks), CPU)
    stream_blocks(module, list(module.vace_blocks), CPU)
    return models


def test_streamed_is_resident_bit_for_bit_forward_after_forward() -> None:
    expected, models = run(make_models()), stream_all(make_models())
    for _ in range(3):
        assert torch.equal(run(models), expected)
    backbone, module = models
    for block in backbone.blocks:
        assert is_away(block.attn1)
        assert is_away(block.attn2)
        assert is_away(block.ffn)
    assert is_away(module.vace_blocks[1].self_attn)
    assert is_away(module.vace_blocks[1].ffn)


def test_any_choice_of_blocks_stays() -> None:
    expected, (backbone, module) = run(make_models()), make_models()
    stream_blocks(backbone, list(backbone.blocks)[2:], CPU)
    assert torch.equal(run((backbone, module)), expected)
    assert [is_away(block.ffn) for block in backbone.blocks] == [False, False, True]
    assert not is_away(module.vace_blocks[0].ffn)


def test_skipped_blocks_and_edits_that_do_nothing_are_streamed_around() -> None:
    models, streamed = make_models(), stream_all(make_models())
    skipped = frozenset({1})
    for options in ({"skipped_blocks": skipped}, {}, {"skipped_blocks": skipped}, {}):
        assert torch.equal(run(streamed, **options), run(models, **options))


@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_loras_are_streamed_with_their_layers(strength: float, tmp_path: Path) -> None:
    width = 128
    lora = {
        "diffusion_model.blocks.1.self_attn.q.lora_A.weight": make_input((2, width)),
        "diffusion_model.blocks.1.self_attn.q.lora_B.weight": make_input((width, 2)) / 50,
        "diffusion_model.blocks.1.self_attn.norm_q.diff": make_input((width,)) / 20,
        "diffusion_model.blocks.2.ffn.0.diff": make_input((160, width)) / 50,
        "diffusion_model.blocks.2.diff_m": make_input((1, 6, width)) / 20,
    }
    path = tmp_path / "lora.safetensors"
    save_file(lora, path)
    results: list[Tensor] = []
    for is_streamed in (False, True):
        models = make_models()
        apply_lora(models, path, strength)
        results.append(run(stream_all(models) if is_streamed else models))
    assert torch.equal(*results)
    assert torch.equal(results[0], run(make_models())) == (strength == 0)


def test_a_text_encoder_is_streamed(models_folder: Path) -> None:
    path = RecipeFiles.find(recipe("demo"), models_folder).text_encoder
    streamed = load_text_encoder(path, is_streamed=True)
    expected = load_text_encoder(path).encode("make it sepia")
    for _ in range(2):
        assert_rounds_alike(streamed.encode("make it sepia"), expected, depth_of(streamed.model))
    assert is_away(streamed.model.encoder.block[0].layer[0])


def test_an_edit_on_a_card_without_room_is_the_same_edit(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = torch.from_numpy(moving_square()).float() / 255
    expected = Editor(recipe("demo"), models_folder).edit(clip, "make it sepia")
    monkeypatch.setattr(chosen_recipe, "card_bytes", lambda *_: 0)
    editor = Editor(recipe("demo"), models_folder)
    assert torch.equal(editor.edit(clip, "make it sepia"), expected)
    assert editor._placement == Placement(0, 3, is_text_streamed=True)
    assert editor._transformer is None  # it left before decoding
    assert torch.equal(editor.edit(clip, "make it sepia"), expected)


def placed(models_folder: Path, card: int, *, is_limited: bool = False) -> Placement:
    demo = recipe("demo")
    files = RecipeFiles.find(demo, models_folder)
    job = Job(demo, 9, (32, 32))
    dtypes = {"dtype": torch.float32, "vae_dtype": torch.float32}
    return place(job, files, [], **dtypes, card=card, is_limited=is_limited)


def test_the_plan_decides_what_stays(models_folder: Path) -> None:
    everything = placed(models_folder, 80 * GIB)
    assert not everything.is_streamed
    assert not everything.is_text_streamed
    nothing = placed(models_folder, 0)
    assert (nothing.resident_blocks, nothing.num_blocks) == (0, everything.num_blocks)
    assert nothing.is_text_streamed


def test_a_limit_that_nothing_fits_is_refused(models_folder: Path) -> None:
    with pytest.raises(BadInput, match=r"9 frames of 32x32 need .* VRAM .*: raise --vram-limit, or lower"):
        placed(models_folder, GIB // 4, is_limited=True)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (8, "--vram-limit is for CUDA cards, but this edit runs on cpu"),
        (-1, "--vram-limit is -1: give the memory"),
        (float("nan"), "--vram-limit is nan: give the memory"),
    ],
)
def test_a_limit_needs_a_card_and_an_amount(models_folder: Path, limit: float, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Editor(recipe("demo"), models_folder, machine=MachineOptions(limit))


def test_without_a_card_everything_stays() -> None:
    assert card_bytes(CPU, None) is None


def test_the_numbers_are_really_taken_away() -> None:
    """What the tests above stand on."""
    models = stream_all(make_models())
    layer: Callable[..., Tensor] = models[0].blocks[0].ffn.net[0].proj.__class__.forward
    away = layer(models[0].blocks[0].ffn.net[0].proj, torch.ones(1, 128))
    assert away.isnan().all()
