"""The edit by itself: what is tied before the onset, also where a pass sees a part of a long clip; noise; kept frames."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from reelpatch.edits.contract import Forward, Moment
from reelpatch.edits.sharing.edit import RunningSharing, SharingEdit
from reelpatch.edits.sharing.schedule import SharingMethod, Stages
from reelpatch.edits.sharing.work import (
    Pair,
    SharingWork,
    before_onset,
    draw_pair,
    kept_frames,
    onset_latents,
)
from reelpatch.edits.work import EditSettings, Prepared
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.family import WAN

METHOD = SharingMethod(Stages(0.9, 0.6), "none")
GRID = TokenGrid(4, 2, 3)
FORWARD = Forward(
    tokens=torch.zeros(2, GRID.tokens, 8), grid=GRID, modulation=torch.zeros(2, 6, 8), text=torch.zeros(2, 1, 8),
    rotary=None, num_blocks=6, moment=Moment(1.0, 0, 4, (True, True)), num_channels=16, head_dim=8,
    embed=lambda latents: latents,
)  # fmt: skip


def begun(forward: Forward, **options: Any) -> RunningSharing:
    running = SharingEdit(METHOD, **options).begin(forward)
    assert running is not None
    return running


def test_nothing_is_to_be_done_without_rules_and_onset() -> None:
    assert SharingEdit(METHOD).begin(FORWARD) is None


def test_tokens_before_the_onset_are_the_source_s() -> None:
    tokens = torch.arange(2.0 * GRID.tokens).view(2, GRID.tokens, 1)
    tied = begun(FORWARD, onset=2).after_block(0, tokens)
    assert torch.equal(tied[0], tokens[0])
    assert torch.equal(tied[1, :12], tokens[0, :12])
    assert torch.equal(tied[1, 12:], tokens[1, 12:])
    twice = begun(replace(FORWARD, moment=Moment(1.0, 0, 4, (True, True, False, False))), onset=2)
    both = twice.after_block(0, torch.cat([tokens, tokens + 100]))
    assert torch.equal(both, torch.cat([tied, tied + 100]))


@pytest.mark.parametrize(
    ("shown", "tied"), [((0, 1, 2, 3), 3), ((2, 3, 4, 5), 1), ((0, 4, 5, 6), 1), ((4, 5, 6, 7), 0)]
)
def test_a_pass_that_sees_a_part_ties_what_it_sees_of_it(shown: tuple[int, ...], tied: int) -> None:
    forward = replace(FORWARD, shown_frames=shown, num_frames=8)
    assert begun(forward, onset=3).num_tied == tied * 6


def test_latent_frames_wholly_before_a_frame() -> None:
    assert [onset_latents(frame, WAN.lattice) for frame in (0, 1, 4, 5, 6, 8, 9)] == [0, 1, 1, 2, 2, 2, 3]


def test_frames_that_a_mask_keeps_from_the_first() -> None:
    mask = torch.zeros(9, 4, 4)
    assert kept_frames(mask) == 9
    mask[3, 1, 1] = 0.2
    assert kept_frames(mask) == 3
    assert kept_frames(None) == 0


def test_noise_is_the_same_or_each_its_own_and_the_source_s_stays() -> None:
    same, own = (draw_pair((16, 3, 8, 8), 7, is_shared=shared) for shared in (True, False))
    assert torch.equal(same[0], same[1])
    assert torch.equal(own[0], same[0])
    assert abs(float((own[0] * own[1]).mean())) < 0.05  # of 3072 independent products


def test_pixels_before_the_onset_are_the_source_s() -> None:
    source, target = torch.zeros(5, 2, 2, 3), torch.ones(5, 2, 2, 3)
    assert before_onset(source, target, 2).mean((1, 2, 3)).tolist() == [0, 0, 1, 1, 1]


def test_strength_nought_shares_nothing() -> None:
    prepared = Prepared((16, 3, 4, 4), seen=Pair())
    assert SharingWork().edits(None, prepared, EditSettings(0.0, method=METHOD)) == ()
    assert len(SharingWork().edits(None, prepared, EditSettings(1.0, method=METHOD))) == 1
