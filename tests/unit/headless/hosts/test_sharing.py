"""Attention sharing on diffusers' transformer: two clips as two rows of one batch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from reelpatch.edits.contract import Moment
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import SCHEDULES, Policy, Rule, SharingMethod, Stage, Stages
from reelpatch.edits.sharing.work import Pair, TiedRows
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.denoiser import Denoiser, ExpertSwitch
from reelpatch.headless.hosts.pair_maker import TiedDenoiser
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.solvers import SOLVERS
from reelpatch.sampling.step_range import StepRange
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

BACKBONE = tiny_wan.t2v()
LATENTS, TEXTS = make_input((2, 4, 3, 4, 6)), make_input((2, 512, 24), 0.17, 1.0)
NEGATIVE = make_input((1, 512, 24), 0.31, 2.0)
SIGMAS = torch.tensor([1.0, 0.8, 0.4, 0.0])
STAGES = Stages(0.9, 0.6)
TOKENS_A_FRAME = 6
# Sums of the same numbers in another order, in three layers of numbers about 1.
ROUNDING = 1e-5


def moment(sigma: float = 1.0, rows: int = 2) -> Moment:
    return Moment(sigma, 0, 3, (True,) * rows)


@torch.no_grad()
def run(latents: Tensor, texts: Tensor, *edits: Any, at: Moment | None = None) -> Tensor:
    return predict_velocity(BACKBONE, latents, texts, moment=at or moment(rows=len(latents)), edits=edits)


def shared(policy: Policy, monkeypatch: pytest.MonkeyPatch, **options: Any) -> SharingEdit:
    """An edit that shares by one policy in every block, early."""
    monkeypatch.setitem(SCHEDULES, "local", (Rule(Stage.EARLY, policy),))  # type: ignore[arg-type]
    return SharingEdit(SharingMethod(STAGES, "local"), **options)


@pytest.mark.parametrize("policy", Policy)
def test_equal_rows_are_a_plain_run(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, texts = LATENTS[:1].expand(2, -1, -1, -1, -1), TEXTS[:1].expand(2, -1, -1)
    found = run(rows, texts, shared(policy, monkeypatch))
    assert tiny_wan.largest_difference(found[:1], found[1:]) < ROUNDING
    assert tiny_wan.largest_difference(found[:1], run(LATENTS[:1], TEXTS[:1])) < ROUNDING


def test_self_on_unequal_rows_is_two_plain_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(LATENTS, TEXTS, shared(Policy.SELF, monkeypatch))
    apart = torch.cat([run(LATENTS[row : row + 1], TEXTS[row : row + 1]) for row in (0, 1)])
    assert tiny_wan.largest_difference(found, apart) < ROUNDING


@pytest.mark.parametrize("policy", [one for one in Policy if one is not Policy.SELF])
def test_every_policy_acts_on_unequal_rows(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run(LATENTS, TEXTS)
    found = run(LATENTS, TEXTS, shared(policy, monkeypatch))
    assert min(tiny_wan.largest_difference(found[row], plain[row]) for row in (0, 1)) > 5e-4
    given = run(LATENTS, TEXTS, shared(policy, monkeypatch, is_given=True))
    assert tiny_wan.largest_difference(given[0], plain[0]) < ROUNDING  # a source that is there reads nothing
    assert tiny_wan.largest_difference(given[1], plain[1]) > 5e-4
    late = run(LATENTS, TEXTS, shared(policy, monkeypatch), at=moment(0.9))
    assert torch.equal(late, run(LATENTS, TEXTS, at=moment(0.9)))
    outside = shared(policy, monkeypatch, window=StepRange(0.5, 1.0))
    assert torch.equal(run(LATENTS, TEXTS, outside), plain)


def test_one_call_for_both_conditions_is_two() -> None:
    edit = SharingEdit(SharingMethod(STAGES, "local"))
    both = (
        Denoiser(BACKBONE, TEXTS, SIGMAS, NEGATIVE, [edit], Guidance(3.0), batched=batched)(
            LATENTS, torch.ones(2)
        )
        for batched in (True, False)
    )
    assert tiny_wan.largest_difference(*both) < ROUNDING


def test_conditions_do_not_see_each_other() -> None:
    """With guidance 0 only the pass without the instruction counts, whatever the texts of the other one are."""
    edit = SharingEdit(SharingMethod(STAGES, "motion"))
    made = [
        Denoiser(BACKBONE, texts, SIGMAS, NEGATIVE, [edit], Guidance(0.0), batched=True)(
            LATENTS, torch.ones(2)
        )
        for texts in (TEXTS, TEXTS.flip(0))
    ]
    assert tiny_wan.largest_difference(*made) < ROUNDING


@pytest.mark.parametrize("onset", [1, 2])
def test_before_the_onset_everything_is_the_source_s(onset: int) -> None:
    for change in ("local", "none"):
        edit = SharingEdit(SharingMethod(STAGES, change), onset)
        rows = TiedRows(Pair(onset=onset), LATENTS).before_call(LATENTS, 1.0)
        source, target = run(rows, TEXTS, edit)
        # The same numbers in two rows of a batch, whose products some kernels take in another order.
        assert tiny_wan.largest_difference(source[:, :onset], target[:, :onset]) < ROUNDING
        assert tiny_wan.largest_difference(source[:, onset:], target[:, onset:]) > 1e-3


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("given", [True, False])
def test_a_run_keeps_the_onset_to_the_bit(solver: str, given: bool) -> None:
    source = make_input((4, 3, 4, 6), 0.41, 3.0)
    tied = TiedRows(Pair(source if given else None, 2), LATENTS)
    edit = SharingEdit(SharingMethod(STAGES, "local"), 2, given)
    denoiser = TiedDenoiser(BACKBONE, TEXTS, SIGMAS, edits=[edit], tied=tied)
    seen: list[tuple[float, Tensor]] = []

    def predict(_transformer: Any, rows: Tensor, text: Tensor, *, moment: Moment, **options: Any) -> Tensor:
        seen.append((moment.sigma, rows))
        return predict_velocity(BACKBONE, rows, text, moment=moment, **options)

    denoiser.predict = predict
    made = tied.after_call(SOLVERS[solver](denoiser, LATENTS, SIGMAS, extra_args={"seed": 1}))
    assert len(seen) == len(SIGMAS) - 1
    for level, rows in seen:
        assert torch.equal(rows[0, :, :2], rows[1, :, :2])
        if given:  # the source's own noised latents, at every step
            expected = (1 - level) * source + level * LATENTS[0]
            # Once in fp32 as `lerp`, once as two products.
            assert tiny_wan.largest_difference(rows[0], expected) < 1e-5
    assert tiny_wan.largest_difference(made[1, :, 2:], made[0, :, 2:]) > 1e-3
    assert torch.equal(made[1, :, :2], made[0, :, :2])
    if given:
        assert torch.equal(made[0], source)


def test_rows_that_are_no_pairs_are_refused() -> None:
    edit = SharingEdit(SharingMethod(STAGES, "local"))
    with pytest.raises(BadInput, match="a call has 1 rows that are no pairs of a source and a target"):
        run(LATENTS[:1], TEXTS[:1], edit)
    mixed = replace(moment(), conditional=(True, False))
    with pytest.raises(BadInput, match="no pairs"):
        run(LATENTS, TEXTS, edit, at=mixed)


def test_blocks_that_are_streamed_share_too() -> None:
    edit = SharingEdit(SharingMethod(STAGES, "local"), 1)
    resident = run(LATENTS, TEXTS, edit)
    streamed = tiny_wan.t2v()
    stream_blocks(streamed, list(streamed.blocks), torch.device("cpu"))
    with torch.no_grad():
        found = predict_velocity(streamed, LATENTS, TEXTS, moment=moment(), edits=[edit])
    assert torch.equal(found, resident)


def test_two_experts_share_by_noise_not_by_step() -> None:
    """The second expert has the weights of the first, so that nothing is to change where it takes over."""
    edit = SharingEdit(SharingMethod(STAGES, "colour"))
    loaded: list[int] = []

    def load() -> tuple[Any, Any]:
        loaded.append(1)
        return BACKBONE, None

    made = [
        SOLVERS["euler"](
            TiedDenoiser(
                BACKBONE, TEXTS, SIGMAS, edits=[edit], switch=switch, tied=TiedRows(Pair(), LATENTS)
            ),
            LATENTS,
            SIGMAS,
        )
        for switch in (None, ExpertSwitch(1, load))
    ]
    assert loaded == [1]
    assert torch.equal(*made)


def test_processors_are_what_they_were() -> None:
    before = [block.attn1.processor for block in BACKBONE.blocks]
    run(LATENTS, TEXTS, SharingEdit(SharingMethod(STAGES, "local")))
    assert [block.attn1.processor for block in BACKBONE.blocks] == before


def counted(edits: Sequence[Any]) -> int:
    with torch.device("meta"):
        backbone = WanTransformer3DModel(**tiny_wan.SIZES)
    rows, texts = LATENTS.to("meta"), TEXTS.to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        predict_velocity(backbone, rows, texts, moment=moment(), edits=edits)
    return counter.get_total_flops()


@pytest.mark.parametrize("policy", Policy)
def test_swapping_is_free_and_concat_is_one_more_self_attention(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, width, blocks, rows = 3 * TOKENS_A_FRAME, tiny_wan.DIM, 3, 2
    one_more = rows * blocks * 4 * tokens * tokens * width
    more = counted([shared(policy, monkeypatch)]) - counted([])
    assert more == (one_more if policy.doubles else 0)
