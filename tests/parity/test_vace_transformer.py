"""Our edit on diffusers' WanTransformer3DModel = diffusers' WanVACETransformer3DModel; largest difference 1e-5."""

import pytest
import torch
import torch.nn.functional as F
from diffusers import WanVACETransformer3DModel
from diffusers.models.transformers.transformer_wan import WanTransformerBlock
from torch import Tensor, nn

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.block import WanBlock
from reelpatch.families.wan.names import diffusers_to_native
from reelpatch.families.wan.rotary import rotary_table
from reelpatch.headless.hosts.wan_host import predict_velocity
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input
from tests.golden.rounding import assert_rounds_alike, depth_of

TOLERANCE = 1e-5
CHANNELS = 12
LAYERS = (0, 2)
FRAMES = 3  # latent frames of the clip itself
SIGMA = 0.625
BACKBONE, MERGED, MODULE = tiny_wan.vace(LAYERS, CHANNELS)


def moment(*conditional: bool) -> Moment:
    return Moment(SIGMA, step=1, num_steps=4, conditional=conditional)


def make_latents(references: int, batch: int = 1) -> Tensor:
    return make_input((batch, 4, references + FRAMES, 4, 6), 0.13)


def make_text(batch: int = 1) -> Tensor:
    return make_input((batch, 16, 24), 0.17, 1.0)


def make_context(references: int, phase: float = 3.0) -> Tensor:
    return make_input((CHANNELS, references + FRAMES, 4, 6), 0.23, phase)


@torch.no_grad()
def by_diffusers(latents: Tensor, text: Tensor, context: Tensor, strengths: list[float]) -> Tensor:
    return MERGED(
        latents,
        torch.full((len(latents),), 1000 * SIGMA),
        text,
        control_hidden_states=context.expand(len(latents), -1, -1, -1, -1),
        control_hidden_states_scale=torch.tensor(strengths),
        return_dict=False,
    )[0]


@torch.no_grad()
def by_us(latents: Tensor, text: Tensor, *contexts: VaceContext, rows: Moment | None = None) -> Tensor:
    edits = [VaceEdit(MODULE, contexts)]
    return predict_velocity(BACKBONE, latents, text, moment=rows or moment(True), edits=edits)


@pytest.mark.parametrize("references", range(4))
@pytest.mark.parametrize("strength", [0.0, 0.5, 0.975, 1.0])
def test_one_context(strength: float, references: int) -> None:
    latents, text, context = make_latents(references), make_text(), make_context(references)
    expected = by_diffusers(latents, text, context, [strength] * len(LAYERS))
    found = by_us(latents, text, VaceContext(context, strength))
    assert tiny_wan.largest_difference(found, expected) <= TOLERANCE


@pytest.mark.parametrize("strengths", [[0.3, 0.9], [0.0, 1.0], [1.0, 0.0]])
def test_each_layer_with_its_own_strength(strengths: list[float]) -> None:
    latents, text, context = make_latents(0), make_text(), make_context(0)
    expected = by_diffusers(latents, text, context, strengths)
    found = by_us(latents, text, VaceContext(context, strengths))
    assert tiny_wan.largest_difference(found, expected) <= TOLERANCE


def test_strength_moves_the_output() -> None:
    latents, text, context = make_latents(0), make_text(), make_context(0)
    weak, strong = (by_us(latents, text, VaceContext(context, strength)) for strength in (0.5, 0.975))
    assert tiny_wan.largest_difference(weak, strong) > 0.01


def test_two_contexts_of_which_one_has_a_reference() -> None:
    latents, text = make_latents(1), make_text()
    with_reference, without = make_context(1), make_context(0, phase=5.0)
    at_sample_length = F.pad(without, (0, 0, 0, 0, 1, 0))
    hints = [
        [strength * hint for hint in hints_of(MERGED, latents, text, context)]
        for context, strength in ((with_reference, 0.975), (at_sample_length, 0.5))
    ]
    expected = with_added(latents, text, [sum(pair) for pair in zip(*hints, strict=True)])
    found = by_us(latents, text, VaceContext(with_reference, 0.975), VaceContext(without, 0.5))
    assert tiny_wan.largest_difference(found, expected) <= TOLERANCE


@pytest.mark.parametrize("references", [0, 1])
def test_both_passes_in_one_batch(references: int) -> None:
    latents, text, context = make_latents(references, batch=2), make_text(batch=2), make_context(references)
    expected = by_diffusers(latents, text, context, [0.975, 0.975])
    batched = by_us(latents, text, VaceContext(context, 0.975), rows=moment(True, False))
    apart = [by_us(latents[i : i + 1], text[i : i + 1], VaceContext(context, 0.975)) for i in range(2)]
    assert tiny_wan.largest_difference(batched, expected) <= TOLERANCE
    assert tiny_wan.largest_difference(torch.cat(apart), expected) <= TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("per_token", [False, True])
def test_the_block_is_diffusers_block(dtype: torch.dtype, *, per_token: bool) -> None:
    torch.manual_seed(0)
    theirs = WanTransformerBlock(128, 160, 2, cross_attn_norm=True)
    ours = WanBlock(128, 160, 2)
    weights = {f"blocks.0.{key}": tensor for key, tensor in theirs.state_dict().items()}
    named = {diffusers_to_native(key): tensor for key, tensor in weights.items()}
    ours.load_state_dict({name.removeprefix("blocks.0."): tensor for name, tensor in named.items()})
    grid = TokenGrid(3, 2, 3)
    x, text = make_input((2, grid.tokens, 128)).to(dtype), make_input((2, 7, 128), 0.2).to(dtype)
    time = make_input((2, *((grid.tokens,) if per_token else ()), 6, 128), 0.3).to(dtype)
    theirs.to(dtype).norm2.float()  # diffusers keeps this norm in float32 when it loads a model
    ours.to(dtype).norm3.float()
    with torch.no_grad():
        expected = theirs(x, text, time, BACKBONE.rope(torch.zeros(1, 4, 3, 4, 6)))
        found = ours(x, time, text, rotary_table(grid, 64))
    if dtype == torch.float32:
        assert_rounds_alike(found, expected, depth_of(ours))
    else:  # the same bits, but for the few numbers that two kernels' sums put on two sides of a rounding edge
        assert (found == expected).float().mean() >= 0.95
        torch.testing.assert_close(found, expected, atol=2**-5, rtol=2**-6)


@torch.no_grad()
def hints_of(
    merged: WanVACETransformer3DModel, latents: Tensor, text: Tensor, context: Tensor
) -> list[Tensor]:
    """The hints that diffusers' own edit blocks make of a context, recorded while they run."""
    hints: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _i, out: hints.append(out[0])) for block in merged.vace_blocks
    ]
    by_diffusers(latents, text, context, [1.0] * len(LAYERS))
    for handle in handles:
        handle.remove()
    return hints


@torch.no_grad()
def with_added(latents: Tensor, text: Tensor, additions: list[Tensor]) -> Tensor:
    """The backbone's output when these are added after the VACE layers."""

    def adder(addition: Tensor):
        return lambda _module, _inputs, tokens: tokens + addition

    blocks: list[nn.Module] = [BACKBONE.blocks[layer] for layer in LAYERS]
    handles = [
        block.register_forward_hook(adder(addition))
        for block, addition in zip(blocks, additions, strict=True)
    ]
    output = BACKBONE(latents, torch.tensor([1000 * SIGMA]), text, return_dict=False)[0]
    for handle in handles:
        handle.remove()
    return output
