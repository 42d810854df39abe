"""Which passes a chain of guidance needs, and what becomes of their predictions."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.recipes import recipe
from reelpatch.sampling.condition_sets import ConditionSet, Projection, Sees, SourceWeight
from reelpatch.sampling.guidance import Guidance
from tests.golden.deterministic import make_input
from tests.golden.rounding import printed, rounding

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "projected_guidance.json").read_text())
NOTHING, CLIP, ALL, TEXT = (
    ConditionSet(is_instructed=False, sees=Sees.NOTHING),
    ConditionSet(is_instructed=False, sees=Sees.CLIP),
    ConditionSet(is_instructed=False),
    ConditionSet(is_instructed=True),
)
SHAPE = (1, 4, 3, 4, 6)
PREDICTIONS = {
    one: make_input(SHAPE, *wave)
    for one, wave in zip(
        (NOTHING, CLIP, ALL, TEXT), ((0.13, 1.0), (0.29, 2.0), (0.41, 0.5), (0.37, 1.5)), strict=True
    )
}
DEPTH = 8  # a norm, a projection, and three links, each a few operations deep


def chained(clip: float, references: float, text: float, **options: Projection) -> Guidance:
    sources = SourceWeight(Sees.CLIP, clip), SourceWeight(Sees.ALL, references)
    return Guidance(text, sources=sources, **options)


def published(clip: float, references: float, text: float) -> Tensor:
    """Bernini's rv2v, word by word."""
    nothing, one, all_, instructed = (PREDICTIONS[key] for key in (NOTHING, CLIP, ALL, TEXT))
    return nothing + clip * (one - nothing) + references * (all_ - one) + text * (instructed - all_)


@pytest.mark.parametrize(
    ("weights", "needed"),
    [
        ((3.0, 2.0, 4.0), (NOTHING, CLIP, ALL, TEXT)),
        ((3.0, 3.0, 4.0), (NOTHING, ALL, TEXT)),
        ((1.0, 2.0, 4.0), (CLIP, ALL, TEXT)),
        ((1.0, 1.0, 1.0), (TEXT,)),
        ((1.0, 1.0, 4.0), (ALL, TEXT)),
        ((3.0, 2.0, 0.0), (NOTHING, CLIP, ALL)),
        ((0.0, 2.0, 4.0), (NOTHING, CLIP, ALL, TEXT)),
        ((0.0, 0.0, 4.0), (NOTHING, ALL, TEXT)),
        ((2.0, 2.0, 2.0), (NOTHING, TEXT)),
    ],
)
def test_no_pass_is_computed_that_counts_for_nothing(
    weights: tuple[float, float, float], needed: tuple[ConditionSet, ...]
) -> None:
    chain = chained(*weights).chain(0)
    assert chain.sets == needed
    found = chain.combine({one: PREDICTIONS[one] for one in needed})
    expected = published(*weights)
    assert float((found - expected).abs().max()) <= rounding(float(expected.abs().max()), DEPTH)


def test_one_pass_where_guidance_is_off() -> None:
    other = Guidance(4.0, steps={1}, sources=(SourceWeight(Sees.ALL, 3.0),))
    assert other.chain(0).sets == (TEXT,)
    assert other.chain(1).sets == (NOTHING, ALL, TEXT)
    assert other.with_scale(1).chain(1).sets == (TEXT,)
    assert other.with_scale(2.0).chain(1).links[-1].weight == 2.0


@pytest.mark.parametrize(
    ("name", "longest"), [("single, short", 50.0), ("single, cut", 2.0), ("chain, cut", 2.0)]
)
def test_projected_guidance_is_the_published_one(name: str, longest: float) -> None:
    projection = Projection(parallel=0.5, longest=longest)
    first, second, third = (make_input(SHAPE, *wave) for wave in ((0.13, 1.0), (0.29, 2.0), (0.41, 0.5)))
    if name.startswith("single"):
        chain = Guidance(4.0, projection=projection).chain(0)
        told = {ALL: first, TEXT: second}
    else:
        sources = (SourceWeight(Sees.ALL, 3.0),)
        chain = Guidance(4.0, sources=sources, projection=projection).chain(0)
        told = {NOTHING: first, ALL: second, TEXT: third}
    found = chain.combine(told)
    golden = torch.tensor(GOLDEN[name])
    assert float((found.flatten()[::23] - golden).abs().max()) <= printed(float(found.abs().max()), DEPTH)


def test_a_projection_keeps_every_way_of_the_chain() -> None:
    """It is no straight line, so that ways of one weight are not one, and a weight of 1 is not the end of it."""
    chain = chained(1.0, 1.0, 1.5, projection=Projection(0.5, 50.0)).chain(0)
    assert chain.sets == (NOTHING, CLIP, ALL, TEXT)


def test_bernini_compares_over_the_references_only_where_there_are_some() -> None:
    bernini = recipe("bernini-r-1.3b")
    assert bernini.guidance_for(0).chain(0).sets == (ALL, TEXT)
    assert bernini.guidance_for(0).projection == Projection(parallel=0.5, longest=50.0)
    assert bernini.guidance_for(2).chain(0).sets == (NOTHING, ALL, TEXT)
    assert bernini.guidance_for(2).describe() == "4 (after 3 to the clip, 3 to the clip and the references)"
    assert bernini.guided(2.0).guidance_for(1).scale == 2.0
    assert bernini.guided(1.0).guidance_for(1).chain(0).sets == (TEXT,)
    videocof = recipe("videocof")
    assert videocof.guidance_for(3) == videocof.guidance
