"""The mask of what changed between two clips, and which pairs are good enough."""

import numpy as np
import pytest
import torch

from reelpatch.measure.changed_part import LEVEL, PairFilter, PairMeasures, changed_part


def pair(size: int = 6, change: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """A gray clip, and the same with a lighter square in the later of its frames."""
    source = np.full((3, 24, 32, 3), 90, np.uint8)
    target = source.copy()
    target[1:, 8 : 8 + size, 10 : 10 + size] += change
    return source, target


def test_what_changed_is_found_with_a_margin_of_two_pixels() -> None:
    mask = changed_part(*pair())
    expected = torch.zeros(3, 24, 32)
    expected[1:, 6:16, 8:18] = 1
    assert torch.equal(mask, expected)


def test_single_pixels_and_small_differences_do_not_count() -> None:
    source, target = pair(change=LEVEL)
    target[0, 3, 3] = 255
    target[2, 20:22, 20:22] = 255  # narrower than 3 pixels
    assert float(changed_part(source, target).sum()) == 0


def test_one_colour_is_enough() -> None:
    source, target = pair(change=0)
    target[1:, 8:14, 10:16, 2] = 255
    assert float(changed_part(source, target).sum()) == 2 * 10 * 10


def test_a_change_at_the_border_reaches_it() -> None:
    source = np.zeros((1, 8, 8, 3), np.uint8)
    target = source.copy()
    target[:, :4] = 200
    assert torch.equal(changed_part(source, target)[0, :6], torch.ones(6, 8))


def test_a_pair_is_measured() -> None:
    source, target = pair()
    found = PairMeasures.of(source, target, changed_part(source, target))
    assert found.psnr_outside == 100
    assert found.share == pytest.approx(200 / (3 * 24 * 32))
    # 36 of 100 pixels of the mask differ by 100.
    assert found.change_inside == pytest.approx(36, abs=1e-3)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (PairMeasures(30.0, 0.9, 40.0, 0.1, 1.0), []),
        (PairMeasures(None, None, 40.0, 1.0, None), ["all of the picture changed"]),
        (PairMeasures(20.0, 0.9, 40.0, 0.1, 1.0), ["the rest differs too (20.0 dB"]),
        (PairMeasures(30.0, 0.9, None, 0.0, 1.0), ["nothing changed (0.0000"]),
        (PairMeasures(30.0, 0.9, 40.0, 0.001, 1.0), ["nothing changed (0.0010"]),
        (PairMeasures(30.0, 0.9, 5.0, 0.1, 1.0), ["little changed (5.0 levels"]),
        (PairMeasures(20.0, 0.9, 5.0, 0.1, 3.0), ["little changed", "the rest differs", "the target flickers (3.00"]),
    ],
)  # fmt: skip
def test_why_a_pair_is_not_good_enough(found: PairMeasures, said: list[str]) -> None:
    problems = PairFilter().problems(found)
    assert len(problems) == len(said)
    assert all(problem.startswith(words) for problem, words in zip(problems, said, strict=True))
    assert PairFilter(0.0, 0.0, 0.0, 99.0).problems(found) == []
