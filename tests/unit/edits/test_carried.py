"""Timesteps of tokens that ride along: as few groups as all of them share, or one for each token."""

import pytest
import torch
from torch import Tensor

from reelpatch.edits.carried import CarriedTokens, TokenSegment, modulation_of_all

WIDTH = 4


def at(sigma: float) -> Tensor:
    """Stands for what a transformer makes of a noise level: the level itself."""
    return torch.full((1, 6, WIDTH), sigma)


def carried(*segments: tuple[int, float | None, bool], own: int = 18) -> CarriedTokens:
    made = [
        TokenSegment(torch.zeros(1, count, WIDTH), torch.zeros(count, 2), is_before=is_before, sigma=sigma)
        for count, sigma, is_before in segments
    ]
    return CarriedTokens(made, own)


SOURCE, STILL = (18, 0.0, True), (6, 0.0, False)


@pytest.mark.parametrize("batch", [1, 2])
def test_groups_are_as_large_as_all_share(batch: int) -> None:
    own = at(0.5).expand(batch, 1, 6, WIDTH)
    found = modulation_of_all(carried(SOURCE, STILL), own, at, 0.5, is_by_token=False)
    assert found.shape == (batch, 3 + 3 + 1, 6, WIDTH)
    assert found[-1, :, 0, 0].tolist() == [0, 0, 0, 0.5, 0.5, 0.5, 0]
    alone = modulation_of_all(carried(SOURCE), own, at, 0.5, is_by_token=False)
    assert alone[0, :, 0, 0].tolist() == [0, 0.5]


def test_each_token_is_a_group_where_a_host_asks_for_it() -> None:
    found = modulation_of_all(carried(SOURCE, STILL), at(0.5), at, 0.5, is_by_token=True)
    assert found[0, :, 0, 0].tolist() == [0.0] * 18 + [0.5] * 18 + [0.0] * 6


def test_where_all_have_the_steps_own_nothing_is_made() -> None:
    for own in (at(0.5), at(0.5).unsqueeze(1)):
        assert modulation_of_all(carried((5, None, True)), own, at, 0.5, is_by_token=own.ndim == 3) is own


def test_a_sample_may_have_timesteps_of_its_own() -> None:
    """Of three latent frames the first is clean, as where Wan2.2 is given its first frame; the segment has the step's."""
    own = torch.cat([at(level).unsqueeze(1) for level in (0.0, 0.5, 0.5)], dim=1)
    found = modulation_of_all(carried((12, None, True)), own, at, 0.5, is_by_token=False)
    assert found[0, :, 0, 0].tolist() == [0.5, 0.5, 0.0, 0.5, 0.5]
