import numpy as np
import pytest
import torch

from reelpatch.clips.finish import paste_back


def eight_bit(*shape: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).float() / 255


SOURCE, EDITED = eight_bit(3, 32, 48, 3, seed=0), eight_bit(3, 32, 48, 3, seed=1)
MASK = torch.zeros(3, 32, 48)
MASK[1:, 10:20, 12:30] = 1


def test_a_hard_mask_selects_between_edit_and_source_exactly() -> None:
    result = paste_back(EDITED, SOURCE, MASK)
    inside = MASK.bool()
    assert torch.equal(result[inside], EDITED[inside])
    assert torch.equal(result[~inside], SOURCE[~inside])


@pytest.mark.parametrize(("grow_px", "feather_px"), [(0, 4), (3, 0), (3, 4), (-2, 0)])
def test_beyond_the_reach_the_source_stands_bit_for_bit(grow_px: int, feather_px: int) -> None:
    result = paste_back(EDITED, SOURCE, MASK, grow_px=grow_px, feather_px=feather_px)
    reach = grow_px + feather_px
    outside = torch.ones_like(MASK, dtype=torch.bool)
    outside[1:, 10 - reach : 20 + reach, 12 - reach : 30 + reach] = False
    assert torch.equal(result[outside], SOURCE[outside])
    core = (slice(1, None), slice(14, 16), slice(16, 26))
    assert (result[core] - EDITED[core]).abs().max() < 1e-6
    assert not torch.equal(result, paste_back(EDITED, SOURCE, MASK))


def test_a_soft_mask_blends() -> None:
    result = paste_back(EDITED, SOURCE, torch.full((3, 32, 48), 0.25))
    torch.testing.assert_close(result, 0.75 * SOURCE + 0.25 * EDITED)


def test_a_broken_edit_stays_inside_its_mask() -> None:
    result = paste_back(torch.full_like(EDITED, torch.nan), SOURCE, MASK, feather_px=2)
    assert torch.equal(result[0], SOURCE[0])


def test_a_half_precision_edit_leaves_the_source_at_full_precision() -> None:
    result = paste_back(EDITED.bfloat16(), SOURCE, MASK)
    assert result.dtype == torch.float32
    assert torch.equal(result[0], SOURCE[0])
