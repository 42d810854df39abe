"""Guidance over several condition sets in the diffusers host: the forwards that it runs, and what they make."""

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from reelpatch.edits.contract import Moment
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.sampling.condition_sets import Projection, Sees, SourceWeight
from reelpatch.sampling.guidance import Guidance
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input
from tests.golden.rounding import depth_of, rounding

SIGMAS = torch.tensor([0.999, 0.625, 0.0])
LATENTS = make_input((1, 4, 3, 4, 6))
SOURCE, STILL = make_input((4, 3, 4, 6), 0.31, 2.0), make_input((4, 1, 2, 4), 0.37, 1.0)
POSITIVE, NEGATIVE = make_input((1, 512, 24), 0.17, 1.0), make_input((1, 512, 24), 0.19, 3.0)
EDIT = SegmentsEdit(
    [LatentSegment(SOURCE, is_numbered=True), LatentSegment(STILL, is_numbered=True, is_reference=True)]
)
RV2V = Guidance(4.0, sources=(SourceWeight(Sees.CLIP, 3.0), SourceWeight(Sees.ALL, 2.0)))


@pytest.fixture(scope="module")
def backbone() -> WanTransformer3DModel:
    return tiny_wan.vace((0, 2), 12)[0]


@torch.no_grad()
def alone(backbone: WanTransformer3DModel, text: Tensor, segments: list[LatentSegment]) -> Tensor:
    """The denoised latents of one pass by itself."""
    moment = Moment(0.625, 1, 2, (True,))
    velocity = predict_velocity(backbone, LATENTS, text, moment=moment, edits=[SegmentsEdit(segments)])
    return LATENTS - 0.625 * velocity


@pytest.mark.parametrize("batched", [False, True])
def test_four_passes_are_the_published_sum(backbone: WanTransformer3DModel, batched: bool) -> None:
    forwards: list[tuple[int, ...]] = []
    hook = backbone.blocks[0].register_forward_hook(
        lambda _block, _inputs, out: forwards.append(tuple(out.shape))
    )
    denoiser = Denoiser(
        backbone, POSITIVE, SIGMAS, negative=NEGATIVE, edits=[EDIT], guidance=RV2V, batched=batched
    )
    found = denoiser(LATENTS, torch.tensor([0.625]))
    hook.remove()
    clip, still = EDIT.segments
    nothing, first, seen, told = (
        alone(backbone, NEGATIVE, []),
        alone(backbone, NEGATIVE, [clip]),
        alone(backbone, NEGATIVE, [clip, still]),
        alone(backbone, POSITIVE, [clip, still]),
    )
    expected = nothing + 3 * (first - nothing) + 2 * (seen - first) + 4 * (told - seen)
    # The weights stretch what each pass rounds.
    bound = 4 * rounding(float(expected.abs().max()), depth_of(backbone))
    assert tiny_wan.largest_difference(found, expected) <= bound
    assert tiny_wan.largest_difference(found, told) > 20 * bound
    # 18 tokens of the clip that is made, 18 of the source, 2 of the reference.
    assert sorted((rows, tokens) for rows, tokens, _ in forwards) == (
        [(1, 18), (1, 36), (2, 38)] if batched else [(1, 18), (1, 36), (1, 38), (1, 38)]
    )


def test_projection_is_done_on_what_is_denoised(backbone: WanTransformer3DModel) -> None:
    projection = Projection(parallel=0.5, longest=1.0)
    guidance = Guidance(4.0, projection=projection)
    denoiser = Denoiser(backbone, POSITIVE, SIGMAS, negative=NEGATIVE, edits=[EDIT], guidance=guidance)
    found = denoiser(LATENTS, torch.tensor([0.625]))
    seen, told = (alone(backbone, text, list(EDIT.segments)) for text in (NEGATIVE, POSITIVE))
    expected = seen + 4 * projection.of(told - seen, told)
    bound = 4 * rounding(float(expected.abs().max()), depth_of(backbone))
    assert tiny_wan.largest_difference(found, expected) <= bound


def test_references_are_numbered_among_what_is_shown(backbone: WanTransformer3DModel) -> None:
    """Without the clip beside it, a reference is the first stream."""
    still = LatentSegment(STILL, is_numbered=True, is_reference=True)
    first = alone(backbone, POSITIVE, [still])
    second = alone(backbone, POSITIVE, [still, LatentSegment(STILL, is_numbered=True, is_reference=True)])
    assert tiny_wan.largest_difference(first, second) > 1e-4
