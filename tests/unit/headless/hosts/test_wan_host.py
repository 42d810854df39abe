import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from reelpatch.edits.contract import Capability, Forward, Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceModule
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models.embedded_texts import joined_texts, padded_text
from reelpatch.sampling.guidance import Guidance, SkipLayers
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import sample_flow_euler, sample_flow_unipc
from reelpatch.sampling.step_range import StepRange
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

MOMENT = Moment(sigma=0.625, step=0, num_steps=4, conditional=(True,))
LATENTS = make_input((1, 4, 3, 4, 6))
TEXT, NEGATIVE = make_input((1, 512, 24), 0.17, 1.0), make_input((1, 512, 24), 0.07, 2.0)
CONTEXT = make_input((12, 3, 4, 6), 0.23, 3.0)
SIGMAS = make_sigmas("native", 4, shift=2.0)


@pytest.fixture(scope="module")
def models() -> tuple[WanTransformer3DModel, VaceModule]:
    return tiny_wan.backbone_and_module()


@pytest.fixture
def backbone(models: tuple[WanTransformer3DModel, VaceModule]) -> Iterator[WanTransformer3DModel]:
    """The backbone, which must be found without a trace of what was done with it."""
    before = traces(models[0])
    yield models[0]
    assert traces(models[0]) == before


@pytest.fixture
def edit(models: tuple[WanTransformer3DModel, VaceModule]) -> VaceEdit:
    return VaceEdit(models[1], [VaceContext(CONTEXT)])


def traces(model: nn.Module) -> dict[str, tuple[Any, ...]]:
    return {
        name: (
            list(module._forward_hooks),
            list(module._forward_pre_hooks),
            sorted(key for key in vars(module) if not key.startswith("_") and key != "training"),
        )
        for name, module in model.named_modules()
    }


@torch.no_grad()
def run(backbone: WanTransformer3DModel, **options: Any) -> Tensor:
    return predict_velocity(backbone, LATENTS, TEXT, moment=MOMENT, **options)


def test_nothing_stays_after_a_run(backbone: WanTransformer3DModel, edit: VaceEdit) -> None:
    plain = run(backbone)
    edited = run(backbone, edits=[edit], skipped_blocks=frozenset({1}))
    assert tiny_wan.largest_difference(plain, edited) > 0.1
    assert torch.equal(run(backbone), plain)


def test_nothing_stays_after_an_exception(backbone: WanTransformer3DModel, edit: VaceEdit) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    handle = backbone.blocks[2].attn2.register_forward_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        run(backbone, edits=[edit], skipped_blocks=frozenset({1}))
    handle.remove()


def test_a_refusal_leaves_nothing(backbone: WanTransformer3DModel, edit: VaceEdit) -> None:
    wrong = VaceEdit(edit.module, [VaceContext(CONTEXT[:, :, :2])])
    with pytest.raises(BadInput, match="context 1"):
        run(backbone, edits=[wrong])


def test_what_others_hung_on_a_block_goes_on_working(backbone: WanTransformer3DModel, edit: VaceEdit) -> None:
    block = backbone.blocks[1]
    handle = block.register_forward_hook(lambda _m, _i, tokens: tokens + 1)
    own_forward: Callable[..., Tensor] = block.forward
    block.forward = lambda *inputs: own_forward(*inputs) + 1
    try:
        replaced = block.forward
        twice = run(backbone, edits=[edit])
        run(backbone, edits=[edit], skipped_blocks=frozenset({1}))
        assert block.forward is replaced
    finally:
        del block.forward
        handle.remove()
    handle = block.register_forward_hook(lambda _m, _i, tokens: tokens + 2)
    assert tiny_wan.largest_difference(run(backbone, edits=[edit]), twice) < 1e-5
    handle.remove()


def test_a_skipped_block_is_not_run_but_its_hint_is_added(
    backbone: WanTransformer3DModel, edit: VaceEdit
) -> None:
    runs: list[int] = []
    handle = backbone.blocks[2].attn1.register_forward_hook(lambda *_: runs.append(2))
    skipped = run(backbone, edits=[edit], skipped_blocks=frozenset({2}))
    handle.remove()
    assert runs == []
    first_only = VaceEdit(edit.module, [VaceContext(CONTEXT, [1.0, 0.0])])
    without_hint = run(backbone, edits=[first_only], skipped_blocks=frozenset({2}))
    assert tiny_wan.largest_difference(skipped, without_hint) > 0.01


def test_with_skip_hints_a_skipped_block_goes_without_its_hint(
    backbone: WanTransformer3DModel, edit: VaceEdit
) -> None:
    skipping = VaceEdit(edit.module, edit.contexts, skip_hints=True)
    for block, strengths in ((2, [1.0, 0.0]), (0, [0.0, 1.0])):
        without = VaceEdit(edit.module, [VaceContext(CONTEXT, strengths)])
        blocks = frozenset({block})
        found, wanted = (run(backbone, edits=[one], skipped_blocks=blocks) for one in (skipping, without))
        assert torch.equal(found, wanted)
    assert torch.equal(run(backbone, edits=[skipping]), run(backbone, edits=[edit]))


def test_blocks_that_do_not_exist_cannot_be_skipped(backbone: WanTransformer3DModel) -> None:
    with pytest.raises(BadInput, match="block 3 cannot be skipped, because this backbone has blocks 0 to 2"):
        run(backbone, skipped_blocks=frozenset({1, 3}))


def test_edits_are_told_what_the_transformer_computes(backbone: WanTransformer3DModel) -> None:
    told: list[Forward] = []

    class Listener:
        needs = frozenset[Capability]()

        def begin(self, forward: Forward) -> None:
            told.append(forward)

    run(backbone, edits=[Listener()])
    (forward,) = told
    with torch.no_grad():
        tokens = backbone.patch_embedding(LATENTS).flatten(2).transpose(1, 2)
        _, time, text, _ = backbone.condition_embedder(torch.tensor([625.0]), TEXT)
    assert torch.equal(forward.tokens, tokens)
    assert torch.equal(forward.text, text)
    assert torch.equal(forward.modulation, time.view(1, 6, -1))
    assert (forward.grid.frames, forward.grid.rows, forward.grid.columns) == (3, 2, 3)
    assert (forward.num_blocks, forward.moment) == (3, MOMENT)


def test_gradients_reach_the_edit_module(backbone: WanTransformer3DModel, edit: VaceEdit) -> None:
    weight = edit.module.block(0).before_proj.weight.requires_grad_()
    predict_velocity(backbone, LATENTS, TEXT, moment=MOMENT, edits=[edit]).sum().backward()
    assert weight.grad is not None
    assert weight.grad.any()
    weight.requires_grad_(False).grad = None


def make_denoiser(backbone: WanTransformer3DModel, **options: Any) -> Denoiser:
    return Denoiser(backbone, TEXT, SIGMAS, **{"negative": NEGATIVE} | options)


def count_passes(backbone: WanTransformer3DModel, denoiser: Denoiser) -> list[int]:
    """The batch sizes the network was run with in a whole sample."""
    sizes: list[int] = []
    handle = backbone.proj_out.register_forward_hook(lambda _m, _i, out: sizes.append(len(out)))
    sample_flow_unipc(denoiser, LATENTS, SIGMAS)
    handle.remove()
    return sizes


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [1] * 4),
        ({"guidance": Guidance(1.2)}, [1] * 8),
        ({"guidance": Guidance(1.2, steps={0})}, [1] * 5),
        ({"guidance": Guidance(1.2), "batched": True}, [2] * 4),
        (
            {"guidance": Guidance(1.2), "batched": True, "skip_layers": SkipLayers((1,), 0.2, 0.7)},
            [2, 1, 1, 1, 1, 2],
        ),
        ({"guidance": Guidance(1.0), "negative": None, "skip_layers": SkipLayers((1,), 0.2, 0.7)}, [1] * 4),
    ],
)
def test_a_pass_is_paid_for_only_where_needed(
    backbone: WanTransformer3DModel, options: dict[str, Any], sizes: list[int]
) -> None:
    assert count_passes(backbone, make_denoiser(backbone, **options)) == sizes


@pytest.mark.parametrize("skip_layers", [None, SkipLayers((2,), 0.2, 0.7)])
def test_batched_passes_give_the_same(
    backbone: WanTransformer3DModel, edit: VaceEdit, skip_layers: SkipLayers | None
) -> None:
    noise = make_input((2, 4, 3, 4, 6), 0.19)  # two clips at once
    apart, batched = (
        sample_flow_unipc(
            make_denoiser(
                backbone, edits=[edit], guidance=Guidance(3.0), skip_layers=skip_layers, batched=is_batched
            ),
            noise,
            SIGMAS,
        )
        for is_batched in (False, True)
    )
    assert tiny_wan.largest_difference(apart, batched) < 1e-4
    alone = sample_flow_unipc(
        make_denoiser(backbone, edits=[edit], guidance=Guidance(3.0), skip_layers=skip_layers),
        noise[1:],
        SIGMAS,
    )
    assert tiny_wan.largest_difference(apart[1:], alone) < 1e-4


def test_an_edit_outside_its_window_costs_and_changes_nothing(
    backbone: WanTransformer3DModel, edit: VaceEdit
) -> None:
    starts: list[int] = []
    handle = edit.module.vace_patch_embedding.register_forward_hook(lambda *_: starts.append(1))
    late = VaceEdit(edit.module, [VaceContext(CONTEXT, window=StepRange(0.5, 1.0))])
    states: dict[str, list[Tensor]] = {"plain": [], "late": []}
    for name, edits in (("plain", []), ("late", [late])):
        sample_flow_euler(
            make_denoiser(backbone, edits=edits),
            LATENTS,
            SIGMAS,
            callback=lambda state, name=name: states[name].append(state["x"]),
        )
    handle.remove()
    assert len(starts) == 2
    same = [torch.equal(one, other) for one, other in zip(states["plain"], states["late"], strict=True)]
    assert same == [True, True, True, False]


@pytest.mark.parametrize(
    ("schedule", "steps", "shift"),
    [
        ("native", 4, 2.0),
        ("native", 40, 12.0),
        ("native", 50, 16.0),
        ("kijai", 4, 2.0),
        ("diffusers", 8, 2.0),
        ("euler", 50, 5.0),
        ("warped", 4, 8.0),
    ],
)
def test_a_step_is_known_by_its_sigma_whole_timestep_or_not(
    backbone: WanTransformer3DModel, schedule: str, steps: int, shift: float
) -> None:
    sigmas = make_sigmas(schedule, steps, shift=shift)
    denoiser = Denoiser(backbone, TEXT, sigmas)
    starts = sigmas[:-1].tolist()
    assert [denoiser.step_of(sigma) for sigma in starts] == list(range(steps))
    cut = torch.tensor([int(1000 * sigma) / 1000 for sigma in starts])  # float32, as solvers hand it over
    assert [denoiser.step_of(float(sigma)) for sigma in cut] == list(range(steps))


def test_guidance_needs_a_negative_prompt(backbone: WanTransformer3DModel) -> None:
    with pytest.raises(BadInput, match=r"guidance 1\.2 compares with a negative prompt, but none was given"):
        Denoiser(backbone, TEXT, SIGMAS, guidance=Guidance(1.2))


def test_texts_are_padded_with_zero_rows() -> None:
    text = torch.ones(7, 24)
    padded = padded_text(text)
    assert padded.shape == (1, 512, 24)
    assert torch.equal(padded[0, :7], text)
    assert not padded[0, 7:].any()
    assert padded_text(padded).data_ptr() == padded.data_ptr()  # no copy
    assert joined_texts([padded], 1).data_ptr() == padded.data_ptr()
    assert torch.equal(
        joined_texts([padded, 2 * padded], 2), torch.cat([padded, padded, 2 * padded, 2 * padded])
    )
    with pytest.raises(BadInput, match="a text of 513 tokens is longer than the 512"):
        padded_text(torch.ones(513, 24))


def test_what_a_forward_held_is_gone_when_it_is_over(
    backbone: WanTransformer3DModel, models: tuple[WanTransformer3DModel, VaceModule]
) -> None:
    """Tokens and hints would otherwise stay on a card until Python looks for cycles."""
    held: list[weakref.ref[Tensor]] = []

    class Noting(VaceEdit):
        def begin(self, forward: Forward) -> Any:
            held.append(weakref.ref(forward.tokens))
            return super().begin(forward)

    gc.disable()
    try:
        run(backbone, edits=[Noting(models[1], [VaceContext(CONTEXT)])])
        assert len(held) == 1
        assert held[0]() is None
    finally:
        gc.enable()
