"""Segments beside a clip, in the diffusers host."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from reelpatch.edits.contract import Edit, Forward, Moment
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit, stream_numbers
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceModule
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import sample_flow_unipc
from reelpatch.sampling.step_range import StepRange
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input
from tests.golden.rounding import depth_of, rounding

MOMENT = Moment(sigma=0.625, step=0, num_steps=4, conditional=(True,))
CLIP, SOURCE = make_input((1, 4, 3, 4, 6)), make_input((4, 2, 4, 6), 0.31, 2.0)
TEXT = make_input((1, 512, 24), 0.17, 1.0)
CONTEXT = make_input((12, 3, 4, 6), 0.23, 3.0)


@pytest.fixture(scope="module")
def models() -> tuple[WanTransformer3DModel, VaceModule]:
    return tiny_wan.backbone_and_module()


@pytest.fixture
def backbone(models: tuple[WanTransformer3DModel, VaceModule]) -> Iterator[WanTransformer3DModel]:
    yield models[0]
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in models[0].blocks)


@torch.no_grad()
def run(backbone: WanTransformer3DModel, edits: list[Edit], latents: Tensor = CLIP, **options: Any) -> Tensor:
    return predict_velocity(backbone, latents, TEXT, moment=MOMENT, edits=edits, **options)


@pytest.mark.parametrize("is_before", [True, False])
def test_a_segment_that_lies_before_the_clip_in_time_is_a_longer_clip(
    backbone: WanTransformer3DModel, is_before: bool
) -> None:
    """As VideoCoF's sequence without its own places: rotary embedding knows differences of places alone."""
    longer = run(backbone, [], torch.cat([SOURCE[None], CLIP], dim=2))[:, :, 2:]
    segment = LatentSegment(SOURCE, times=(-2, -1), is_before=is_before)
    found = run(backbone, [SegmentsEdit([segment])])
    assert found.shape == longer.shape
    assert tiny_wan.largest_difference(found, longer) <= rounding(
        float(longer.abs().max()), depth_of(backbone)
    )
    assert tiny_wan.largest_difference(found, run(backbone, [])) > 2e-4


def test_source_and_places_change_what_is_seen(backbone: WanTransformer3DModel) -> None:
    plain = run(backbone, [SegmentsEdit([LatentSegment(SOURCE)])])
    for other in (LatentSegment(SOURCE, is_numbered=True), LatentSegment(SOURCE, times=(0, 5))):
        assert tiny_wan.largest_difference(run(backbone, [SegmentsEdit([other])]), plain) > 1e-4


def test_hints_go_to_the_clips_own_tokens(models: tuple[WanTransformer3DModel, VaceModule]) -> None:
    backbone, module = models
    hints, segments = VaceEdit(module, [VaceContext(CONTEXT)]), SegmentsEdit([LatentSegment(SOURCE)])
    both = run(backbone, [segments, hints])
    assert torch.equal(both, run(backbone, [hints, segments]))
    for alone in ([hints], [segments]):
        assert tiny_wan.largest_difference(both, run(backbone, alone)) > 5e-4
    skipped = run(backbone, [segments, hints], skipped_blocks=frozenset({2}))
    assert tiny_wan.largest_difference(both, skipped) > 5e-4


def test_outside_its_steps_nothing_is_carried(backbone: WanTransformer3DModel) -> None:
    late = SegmentsEdit([LatentSegment(SOURCE)], StepRange(0.5, 1.0))
    assert torch.equal(run(backbone, [late]), run(backbone, []))
    assert torch.equal(run(backbone, [SegmentsEdit([])]), run(backbone, []))


def test_what_cannot_be_a_segment_is_refused(backbone: WanTransformer3DModel) -> None:
    with pytest.raises(BadInput, match="segment 1 has 5 channels, but the backbone reads 4: encode it"):
        run(backbone, [SegmentsEdit([LatentSegment(torch.zeros(5, 1, 4, 6))])])
    with pytest.raises(BadInput, match="give \\[channels, frames, rows, columns\\] with at least one frame"):
        LatentSegment(torch.zeros(4, 0, 4, 6))
    with pytest.raises(BadInput, match="not finite"):
        LatentSegment(torch.full((4, 1, 4, 6), float("nan")))
    with pytest.raises(BadInput, match="of 2 latent frames was given 1 places in time"):
        LatentSegment(SOURCE, times=(0,))


def test_memory_is_counted_by_tokens() -> None:
    edit = SegmentsEdit([LatentSegment(SOURCE), LatentSegment(SOURCE[:, :1])])
    assert edit.memory_share(TokenGrid(3, 2, 3)) == pytest.approx(1.0)


@torch.no_grad()
def test_a_source_whose_velocity_is_nothing_is_one_put_back_at_each_call(
    backbone: WanTransformer3DModel,
) -> None:
    """VideoCoF samples source and clip as one, and sets the source's velocity to 0."""
    sigmas = make_sigmas("native", 4, shift=3.0)

    def whole(x: Tensor, sigma: Tensor, **_extra: object) -> Tensor:
        velocity = run(backbone, [], x)
        velocity[:, :, :2] = 0
        return x - sigma.view(-1, 1, 1, 1, 1) * velocity

    def alone(x: Tensor, sigma: Tensor, **_extra: object) -> Tensor:
        segments = SegmentsEdit([LatentSegment(SOURCE, times=(-2, -1), is_before=True)])
        return x - sigma.view(-1, 1, 1, 1, 1) * run(backbone, [segments], x)

    together = sample_flow_unipc(whole, torch.cat([SOURCE[None], CLIP], dim=2), sigmas)
    apart = sample_flow_unipc(alone, CLIP, sigmas)
    size = float(apart.abs().max())
    assert tiny_wan.largest_difference(together[:, :, :2], SOURCE[None]) <= rounding(size, 4 * 8)
    assert tiny_wan.largest_difference(together[:, :, 2:], apart) <= rounding(size, 4 * depth_of(backbone))


def seen_in_a_window(segment: LatentSegment) -> Tensor:
    """What is embedded of a segment in a pass that shows frames 1 and 2 of 4; angles tell the places in time."""
    forward = Forward(
        tokens=torch.zeros(1, 12, 8),
        grid=TokenGrid(2, 2, 3),
        modulation=torch.zeros(1, 6, 8),
        text=torch.zeros(1, 2, 8),
        rotary=None,
        num_blocks=2,
        moment=MOMENT,
        num_channels=4,
        head_dim=8,
        embed=lambda latents: latents.flatten(2).transpose(1, 2),
        shown_frames=[1, 2],
        num_frames=4,
    )
    running = SegmentsEdit([segment]).begin(forward)
    assert running is not None
    (carried,) = running.segments()
    assert len(carried.angles) == 6 * (carried.tokens.shape[1] // 24)
    return carried.tokens


def test_a_context_window_cuts_a_source_and_leaves_stills() -> None:
    numbered = torch.arange(4.0).view(1, 4, 1, 1).expand(4, 4, 4, 6)
    for times in (None, (0, 1, 2, 3)):
        assert seen_in_a_window(LatentSegment(numbered, times)).unique().tolist() == [1, 2]
    assert seen_in_a_window(LatentSegment(numbered[:, 3:])).unique().tolist() == [3]


@pytest.mark.parametrize(("frames", "times"), [(3, None), (3, (1, 2, 3)), (4, (1, 2, 3, 4))])
def test_a_source_beside_no_window_is_refused(frames: int, times: tuple[int, ...] | None) -> None:
    with pytest.raises(
        BadInput, match="context windows show parts of 4 latent frames, beside which the source's"
    ):
        seen_in_a_window(LatentSegment(torch.zeros(4, frames, 4, 6), times))


def test_more_streams_than_were_trained_are_spread_over_those_that_were() -> None:
    assert stream_numbers(0) == []
    assert stream_numbers(3) == [1, 2, 3]
    assert stream_numbers(5) == [1, 2, 3, 4, 5]
    assert stream_numbers(9) == pytest.approx([1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5])
