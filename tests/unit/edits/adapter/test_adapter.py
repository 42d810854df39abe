"""EasyV2V's layout in the diffusers host: order, places, timesteps, and what an adapter's embeddings and LoRA do."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from reelpatch.edits.adapter.edit import AdapterEdit, SeenByAdapter
from reelpatch.edits.adapter.layout import POSITIONS_KEY, AdapterLayout
from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.edits.carried import CarriedTokens
from reelpatch.edits.contract import Edit, Forward, Moment
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.family import WAN_5B_FAMILY
from reelpatch.families.wan.rotary import rotary_angles, timed_positions
from reelpatch.headless.hosts.wan_host import TIMESTEPS, predict_velocity
from reelpatch.sampling.condition_sets import Sees
from reelpatch.sampling.step_range import StepRange
from tests.golden import tiny_adapter, tiny_wan
from tests.golden.rounding import depth_of, rounding

MOMENT = Moment(sigma=0.625, step=0, num_steps=4, conditional=(True,))
SHAPE = (3, 4, 6)  # latent frames, rows, columns: 3 x 2 x 3 tokens
CLIP, SOURCE, MASK = (tiny_adapter.draw(seed, 48, *SHAPE) for seed in (1, 2, 3))
STILL = tiny_adapter.draw(4, 48, 1, *SHAPE[1:])
TEXT = tiny_adapter.draw(5, 1, 512, 4096)
SEEN = SeenByAdapter(SOURCE, MASK, [STILL])


@pytest.fixture(scope="module")
def backbone() -> WanTransformer3DModel:
    return tiny_adapter.backbone()


@torch.no_grad()
def run(backbone: WanTransformer3DModel, edits: list[Edit], latents: Tensor = CLIP, **options: Any) -> Tensor:
    return predict_velocity(backbone, latents[None], TEXT, **{"moment": MOMENT, "edits": edits, **options})


def forward(frames: int = 3, **changes: Any) -> Forward:
    grid = TokenGrid(frames, 2, 3)
    given: dict[str, Any] = {
        **{"tokens": torch.zeros(1, grid.tokens, 128), "grid": grid, "modulation": torch.zeros(1, 6, 128)},
        **{"text": torch.zeros(1, 2, 128), "rotary": None, "num_blocks": 3, "moment": MOMENT},
        **{"num_channels": 48, "head_dim": 128, "embed": lambda latents: latents},
    }
    return Forward(**given | changes)


@pytest.mark.parametrize(
    ("positions", "source", "reference"),
    [("sequence", [-3, -2, -1], 3), ("aligned", [0, 1, 2], 3)],
)
def test_order_places_and_timesteps(positions: str, source: list[int], reference: int) -> None:
    """[source | target | reference]; with the target at 0, 1, 2. Counted from the source on, a sequence is 0-2, 3-5, 6."""
    edit = AdapterEdit(tiny_adapter.module(positions), SEEN)
    running = edit.begin(forward())
    assert running is not None
    first, last = running.segments()
    assert (first.is_before, last.is_before) == (True, False)
    assert (first.sigma, last.sigma) == (0.0, 0.0)
    for segment, times in ((first, source), (last, [reference])):
        grid = TokenGrid(len(times), 2, 3)
        assert torch.equal(segment.angles, rotary_angles(timed_positions(grid, times), 128))
    carried = CarriedTokens((first, last), 18)
    order = carried.around(torch.ones(18), [torch.zeros(18), torch.full((6,), 2.0)], dim=0)
    assert order.tolist() == [0.0] * 18 + [1.0] * 18 + [2.0] * 6
    layout = edit.module.layout
    whole = [*layout.source_times(3), *range(3), layout.reference_time(3, 0)]
    assert [time - min(whole) for time in whole] == (
        [0, 1, 2, 3, 4, 5, 6] if positions == "sequence" else [0, 1, 2, 0, 1, 2, 3]
    )


def test_a_sequence_is_a_longer_clip_whose_source_is_at_timestep_0(backbone: WanTransformer3DModel) -> None:
    """With the backbone's own embedding for the source: what Wan2.2's timesteps of each token make of the two clips in one."""
    own = {name: getattr(backbone.patch_embedding, name).detach() for name in ("weight", "bias")}
    state = {key: torch.zeros_like(one) for key, one in tiny_adapter.weights().items() if "embedding" in key}
    state |= {f"source_embedding.{name}": tensor for name, tensor in own.items()}
    edit = AdapterEdit(AdapterModule.from_state_dict(state), SeenByAdapter(SOURCE, MASK))
    timestep = torch.full((1, 36), TIMESTEPS * MOMENT.sigma)
    timestep[:, :18] = 0
    longer = run(backbone, [], torch.cat([SOURCE, CLIP], dim=1), timestep=timestep)[:, :, 3:]
    found = run(backbone, [edit])
    allowed = rounding(float(longer.abs().max()), depth_of(backbone))
    assert tiny_wan.largest_difference(found, longer) <= allowed
    # A segment of the other kind says the same.
    segment = LatentSegment(SOURCE, times=(-3, -2, -1), is_before=True, sigma=0.0)
    segments = SegmentsEdit([segment], lattice=WAN_5B_FAMILY.lattice)
    assert tiny_wan.largest_difference(run(backbone, [segments]), longer) <= allowed
    noisy = SegmentsEdit([replace(segment, sigma=None)], lattice=WAN_5B_FAMILY.lattice)
    assert tiny_wan.largest_difference(run(backbone, [noisy]), longer) > 100 * allowed
    # So it does where the sample's tokens have timesteps of their own already.
    by_token = torch.full((1, 18), TIMESTEPS * MOMENT.sigma)
    assert tiny_wan.largest_difference(run(backbone, [edit], timestep=by_token), longer) <= allowed
    same = run(backbone, [noisy], timestep=by_token)
    assert tiny_wan.largest_difference(same, run(backbone, [noisy])) <= allowed


def test_an_adapter_begins_at_zero(backbone: WanTransformer3DModel) -> None:
    """Before training, nothing of source, mask and reference is in their tokens."""
    fresh = AdapterModule(48, 128)
    (source, reference) = AdapterEdit(fresh, SEEN).begin(forward()).segments()  # type: ignore[union-attr]
    assert not source.tokens.any()
    assert not reference.tokens.any()
    assert torch.isfinite(run(backbone, [AdapterEdit(fresh, SEEN)])).all()


def test_everything_it_sees_counts(backbone: WanTransformer3DModel) -> None:
    adapter = tiny_adapter.module()
    plain = run(backbone, [AdapterEdit(adapter, SEEN)])
    others = (
        SeenByAdapter(SOURCE.flip(1), MASK, [STILL]),
        SeenByAdapter(SOURCE, MASK.flip(1), [STILL]),
        SeenByAdapter(SOURCE, MASK, [STILL.flip(3)]),
        SeenByAdapter(SOURCE, MASK),
    )
    for other in others:
        assert tiny_wan.largest_difference(run(backbone, [AdapterEdit(adapter, other)]), plain) > 1e-4
    aligned = run(backbone, [AdapterEdit(tiny_adapter.module("aligned"), SEEN)])
    assert tiny_wan.largest_difference(aligned, plain) > 1e-4
    late = AdapterEdit(adapter, SEEN, StepRange(0.5, 1.0))
    assert torch.equal(run(backbone, [late]), run(backbone, []))


def test_a_pass_sees_what_its_condition_set_says() -> None:
    edit = AdapterEdit(tiny_adapter.module(), SEEN)
    for sees, count in ((Sees.NOTHING, None), (Sees.CLIP, 1), (Sees.ALL, 2)):
        running = edit.begin(forward(moment=replace(MOMENT, sees=sees)))
        assert (None if running is None else len(running.segments())) == count


def test_a_context_window_cuts_source_and_mask() -> None:
    module = tiny_adapter.module()
    running = AdapterEdit(module, SEEN).begin(forward(2, shown_frames=[1, 2], num_frames=3))
    assert running is not None
    source, reference = running.segments()
    by_hand = module.embed("source", SOURCE[:, 1:], TEXT) + module.embed("mask", MASK[:, 1:], TEXT)
    assert torch.equal(source.tokens, by_hand)
    assert torch.equal(source.angles, rotary_angles(timed_positions(TokenGrid(2, 2, 3), (-2, -1)), 128))
    assert torch.equal(reference.angles, rotary_angles(timed_positions(TokenGrid(1, 2, 3), (2,)), 128))


def test_memory_counts_what_comes_along() -> None:
    assert AdapterEdit(tiny_adapter.module(), SEEN).memory_share(TokenGrid(3, 2, 3)) == 1 + 1 / 3


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"width": 256}, "256 wide for 48 channels, and the backbone 128 wide for 48"),
        ({"channels": 16}, "128 wide for 16 channels, and the backbone 128 wide for 48"),
    ],
)
def test_an_adapter_of_another_backbone_is_refused(
    backbone: WanTransformer3DModel, sizes: dict[str, int], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        run(backbone, [AdapterEdit(tiny_adapter.module(**sizes), SEEN)])


def test_latents_of_another_vae_or_size_are_refused(backbone: WanTransformer3DModel) -> None:
    adapter = tiny_adapter.module()
    for latents in (torch.zeros(16, *SHAPE), torch.zeros(48, 3, 8, 6), torch.zeros(48, 2, 4, 6)):
        with pytest.raises(BadInput, match=r"the source has the shape .*encode it at the sample's size"):
            run(backbone, [AdapterEdit(adapter, SeenByAdapter(latents, latents))])
    with pytest.raises(BadInput, match="are not finite"):
        SeenByAdapter(SOURCE * torch.nan, MASK)


def test_files_that_are_no_adapter_are_refused() -> None:
    whole = {key: one for key, one in tiny_adapter.weights().items() if "embedding" in key}
    cases = (
        ({}, "has no usable 'source_embedding.weight'"),
        ({**whole, "other.weight": torch.zeros(1)}, "holds 'other.weight'"),
        ({**whole, "mask_embedding.bias": torch.zeros(3)}, "'mask_embedding.bias' of shape \\[3\\]"),
        ({**whole, "mask_embedding.bias": torch.full((128,), torch.nan)}, "NaN or infinity in 'mask_embed"),
    )
    for state, words in cases:
        with pytest.raises(BadInput, match=words):
            AdapterModule.from_state_dict(state)
    with pytest.raises(BadInput, match=r"lacks 'reference_embedding\.bias'"):
        AdapterModule.from_state_dict({k: v for k, v in whole.items() if k != "reference_embedding.bias"})
    with pytest.raises(BadInput, match=r"x says 'beside' under .*where sequence or aligned was expected"):
        AdapterLayout.of({POSITIONS_KEY: "beside"}, "x")
