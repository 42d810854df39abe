import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reelpatch.edits.contract import Forward, Moment, RunningEdit
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceConfig, VaceModule
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.rotary import rotary_table
from reelpatch.sampling.step_range import StepRange
from tests.golden.rounding import assert_rounds_alike, depth_of

GRID = TokenGrid(3, 2, 2)
DIM, NUM_HEADS, NUM_BLOCKS = 64, 2, 6
LAYERS = (0, 2, 5)
CONFIG = VaceConfig(DIM, 96, NUM_HEADS, LAYERS)
DEPTH = depth_of(VaceModule(CONFIG))
Weights = dict[str, Tensor]


def make_weights() -> Weights:
    torch.manual_seed(0)
    return VaceModule(CONFIG).state_dict()


def make_module(weights: Weights | None = None, **options: Any) -> VaceModule:
    options = {"layers": LAYERS, "num_heads": NUM_HEADS} | options
    return VaceModule.from_state_dict(weights or make_weights(), **options)


def make_forward(*, step: int = 0, dtype: torch.dtype = torch.float32, **changes: Any) -> Forward:
    generator = torch.Generator().manual_seed(1)
    tokens, modulation, text = (
        torch.randn(shape, generator=generator).to(dtype)
        for shape in ((2, GRID.tokens, DIM), (2, 6, DIM), (2, 5, DIM))
    )
    forward = Forward(
        tokens=tokens,
        grid=GRID,
        modulation=modulation,
        text=text,
        rotary=rotary_table(GRID, DIM // NUM_HEADS),
        num_blocks=NUM_BLOCKS,
        moment=Moment(sigma=0.5, step=step, num_steps=4, conditional=(True, False)),
        num_channels=16,
        head_dim=DIM // NUM_HEADS,
        embed=lambda latents: latents,
    )
    return replace(forward, **changes)


def make_context(frames: int = GRID.frames, seed: int = 2) -> Tensor:
    return torch.randn(96, frames, 4, 4, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def added(running: RunningEdit | None, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """What is added after each block."""
    assert running is not None
    still = torch.zeros(2, GRID.tokens, DIM, dtype=dtype)
    return [running.after_block(index, still) for index in range(NUM_BLOCKS)]


def hints(*contexts: VaceContext, **told: Any) -> list[Tensor]:
    return added(VaceEdit(make_module(), contexts).begin(make_forward(**told)))


def test_hints_follow_the_named_blocks_alone() -> None:
    found = hints(VaceContext(make_context()))
    assert [bool(hint.any()) for hint in found] == [index in LAYERS for index in range(NUM_BLOCKS)]


def test_a_skipped_block_keeps_its_hint_unless_hints_are_skipped_too() -> None:
    still = torch.zeros(2, GRID.tokens, DIM)
    skipped_block = LAYERS[0]
    usual = hints(VaceContext(make_context()))
    for skip_hints in (False, True):
        edit = VaceEdit(make_module(), [VaceContext(make_context())], skip_hints)
        running = edit.begin(make_forward())
        assert running is not None
        for index, usual_hint in enumerate(usual):
            with torch.no_grad():
                found = running.after_block(index, still, was_skipped=index == skipped_block)
            # The stream itself runs on, so that later hints are what they were.
            is_left_out = skip_hints and index == skipped_block
            assert torch.equal(found, still if is_left_out else usual_hint)


def test_strength_scales_hints() -> None:
    full, half = (hints(VaceContext(make_context(), strength)) for strength in (1.0, 0.5))
    for one, other in zip(full, half, strict=True):
        assert_rounds_alike(0.5 * one, other, DEPTH)


def test_contexts_are_streams_of_their_own() -> None:
    first, second = VaceContext(make_context(), 0.9), VaceContext(make_context(seed=3), [0.2, 0.0, 0.7])
    for both, one, other in zip(hints(first, second), hints(first), hints(second), strict=True):
        assert_rounds_alike(both, one + other, DEPTH)


def test_a_context_without_references_starts_after_those_of_others() -> None:
    short = make_context(frames=GRID.frames - 1)
    padded = torch.cat((torch.zeros(96, 1, 4, 4), short), dim=1)
    for one, other in zip(hints(VaceContext(short)), hints(VaceContext(padded)), strict=True):
        assert_rounds_alike(one, other, DEPTH)


@pytest.mark.parametrize(
    ("strength", "window", "steps"),
    [
        (1.0, StepRange(), [0, 1, 2, 3]),
        (1.0, StepRange(0.2, 0.7), [1, 2]),
        (0.0, StepRange(), []),
        ([0.0, 0.0, 0.0], StepRange(), []),
        ([0.0, 0.5, 0.0], StepRange(0.0, 0.0), [0]),
    ],
)
def test_nothing_runs_at_strength_zero_or_outside_the_window(
    strength: float | Sequence[float], window: StepRange, steps: list[int]
) -> None:
    module = make_module()
    runs: list[int] = []
    module.vace_patch_embedding.register_forward_hook(lambda *_: runs.append(0))
    edit = VaceEdit(module, [VaceContext(make_context(), strength, window)])
    at_work = [step for step in range(4) if edit.begin(make_forward(step=step)) is not None]
    assert at_work == steps
    assert len(runs) == len(steps)


def test_a_stream_ends_after_its_last_strength() -> None:
    module = make_module()
    runs: list[int] = []
    for position in range(len(LAYERS)):
        module.block(position).register_forward_hook(lambda *_, position=position: runs.append(position))
    added(VaceEdit(module, [VaceContext(make_context(), [0.0, 0.5, 0.0])]).begin(make_forward()))
    assert runs == [0, 1]


def test_one_hint_is_alive_at_a_time() -> None:
    module = make_module()
    alive: list[int] = []
    made: list[weakref.ref[Tensor]] = []

    def on_hint(_layer: nn.Module, _inputs: Any, hint: Tensor) -> None:
        alive.append(sum(earlier() is not None for earlier in made))
        made.append(weakref.ref(hint))

    for position in range(len(LAYERS)):
        module.block(position).after_proj.register_forward_hook(on_hint)
    running = VaceEdit(module, [VaceContext(make_context()), VaceContext(make_context(seed=3))]).begin(
        make_forward()
    )
    added(running)
    assert alive == [0] * 6


def test_the_tokens_are_not_kept() -> None:
    forward = make_forward()
    tokens = weakref.ref(forward.tokens)
    running = VaceEdit(make_module(), [VaceContext(make_context())]).begin(forward)
    del forward
    assert tokens() is None
    added(running)


def test_streams_keep_the_dtype_of_the_tokens() -> None:
    weights = {name: tensor.bfloat16() for name, tensor in make_weights().items()}
    edit = VaceEdit(make_module(weights), [VaceContext(make_context())])
    narrow = make_forward(dtype=torch.bfloat16)
    wide = replace(narrow, tokens=narrow.tokens.float())
    for one, other in zip(added(edit.begin(narrow), torch.bfloat16), added(edit.begin(wide)), strict=True):
        assert (one.dtype, other.dtype) == (torch.bfloat16, torch.float32)
        torch.testing.assert_close(one.float(), other, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("context", "told", "message"),
    [
        (VaceContext(make_context(4)), {}, r"context 1 has the shape \[96, 4, 4, 4\].*\[96, 3, 4, 4\]"),
        (VaceContext(make_context()[:, :, :2]), {}, r"context 1 has the shape \[96, 3, 2, 4\]"),
        (VaceContext(make_context()[:80]), {}, r"context 1 has the shape \[80, 3, 4, 4\]"),
        (VaceContext(make_context()[0]), {}, r"context 1 has the shape \[3, 4, 4\]"),
        (
            VaceContext(make_context(), [1.0, 1.0]),
            {},
            "2 strengths were given, but the edit module has 3 layers",
        ),
        (VaceContext(make_context()), {"tokens": torch.zeros(2, 12, 32)}, "is 64 wide and the backbone 32"),
        (VaceContext(make_context()), {"num_blocks": 5}, "adds to block 5, but the backbone ends at block 4"),
    ],
)
def test_what_does_not_fit_is_refused(context: VaceContext, told: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        hints(context, **told)


def test_weights_are_neither_copied_nor_cast() -> None:
    weights = {name: tensor.bfloat16() for name, tensor in make_weights().items()}
    module = make_module(weights)
    for name, tensor in module.state_dict().items():
        assert tensor.data_ptr() == weights[name].data_ptr()
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_before_proj_stands_in_the_first_block_alone() -> None:
    names = {name for name in make_weights() if "_proj." in name and name.endswith("weight")}
    assert names == {"vace_blocks.0.before_proj.weight"} | {
        f"vace_blocks.{i}.after_proj.weight" for i in range(3)
    }


@pytest.mark.parametrize(("dim", "count", "step"), [(5120, 8, 5), (1536, 15, 2)])
def test_published_sizes_are_known(dim: int, count: int, step: int) -> None:
    given = VaceConfig(dim, 64, dim // 128, tuple(range(count)))
    module = VaceModule.from_state_dict(VaceModule(given, device="meta").state_dict())
    assert module.config == replace(given, layers=tuple(range(0, count * step, step)))


def test_layers_come_from_the_metadata_unless_the_caller_names_them() -> None:
    metadata = {"reelpatch.vace_layers": "0,2,4"}
    assert make_module(layers=None, metadata=metadata).config.layers == (0, 2, 4)
    assert make_module(layers=(1, 3, 5), metadata=metadata).config.layers == (1, 3, 5)


def without(name: str) -> Callable[[Weights], None]:
    return lambda weights: weights.__delitem__(name)


def with_tensor(name: str, tensor: Tensor) -> Callable[[Weights], None]:
    return lambda weights: weights.__setitem__(name, tensor)


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (
            without("vace_patch_embedding.weight"),
            {},
            "no usable 'vace_patch_embedding.weight'.*choose another file",
        ),
        (
            without("vace_blocks.1.cross_attn.norm_q.weight"),
            {},
            "lacks 'vace_blocks.1.cross_attn.norm_q.weight'",
        ),
        (
            with_tensor("blocks.0.modulation", torch.zeros(1)),
            {},
            "holds 'blocks.0.modulation' .*vace_ keys alone",
        ),
        (
            with_tensor("vace_blocks.2.ffn.2.bias", torch.zeros(65)),
            {},
            r"'vace_blocks.2.ffn.2.bias' of shape \[65\]",
        ),
        (
            with_tensor("vace_patch_embedding.weight", torch.zeros(64)),
            {},
            "no usable 'vace_patch_embedding.weight'",
        ),
        (
            lambda _: None,
            {"layers": None},
            "3 VACE blocks of width 64, which is neither.*reelpatch.vace_layers",
        ),
        (lambda _: None, {"layers": (0, 1)}, r"3 VACE blocks, but 2 layers were named for them \(0, 1\)"),
        (lambda _: None, {"layers": (0, 4, 2)}, r"VACE layers \[0, 4, 2\] are not rising"),
        (lambda _: None, {"layers": None, "metadata": {"reelpatch.vace_layers": "a,b"}}, "says 'a,b' under"),
        (lambda _: None, {"num_heads": 5}, "5 heads do not divide this edit module's width of 64"),
    ],
)
def test_files_that_are_no_edit_module_are_refused(
    damage: Callable[[Weights], None], options: dict[str, Any], message: str
) -> None:
    weights = make_weights()
    damage(weights)
    with pytest.raises(BadInput, match=message):
        make_module(weights, source="some.safetensors", **options)


@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        (torch.float32, float("nan")),
        (torch.bfloat16, float("inf")),
        (torch.float16, float("-inf")),
        (torch.float8_e4m3fn, float("nan")),
        (torch.float8_e5m2, float("-inf")),
    ],
)
def test_damaged_weights_are_refused(dtype: torch.dtype, bad: float) -> None:
    weights = make_weights()
    key = "vace_blocks.1.self_attn.q.weight"
    weights[key] = weights[key].to(dtype)
    make_module(weights)
    damaged = weights[key].float()
    damaged[3, 5] = bad
    weights[key] = damaged.to(dtype)
    with pytest.raises(BadInput, match=f"holds NaN or infinity in '{key}'"):
        make_module(weights)
