import math

import pytest
import torch

from reelpatch.measure import psnr


def test_psnr_counts_only_the_pixels_asked_for() -> None:
    truth = torch.rand(2, 4, 5, 3) / 2
    result = truth.clone()
    result[1] += 0.1
    second = torch.zeros(2, 4, 5)
    second[1] = 1
    assert psnr(result, truth, second) == pytest.approx(20, abs=1e-4)
    assert psnr(result, truth) == pytest.approx(20 + 10 * math.log10(2), abs=1e-4)
    assert psnr(result, truth, 1 - second) == math.inf
