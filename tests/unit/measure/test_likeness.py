import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from reelpatch.clips.masks import luma
from reelpatch.measure.likeness import difference, psnr, ssim


def test_psnr_counts_only_the_pixels_asked_for() -> None:
    truth = torch.rand(2, 4, 5, 3) / 2
    result = truth.clone()
    result[1] += 0.1
    second = torch.zeros(2, 4, 5)
    second[1] = 1
    assert psnr(result, truth, second) == pytest.approx(20, abs=1e-4)
    assert psnr(result, truth) == pytest.approx(20 + 10 * math.log10(2), abs=1e-4)
    assert psnr(result, truth, 1 - second) == math.inf


def test_difference_is_in_levels_and_none_without_pixels() -> None:
    truth = torch.full((4, 5, 3), 0.2)
    result = truth.clone()
    result[0] += 10 / 255
    first = torch.zeros(4, 5)
    first[0] = 1
    assert difference(result, truth) == pytest.approx(2.5, abs=1e-4)
    assert difference(result, truth, first) == pytest.approx(10, abs=1e-4)
    assert difference(result, truth, torch.zeros(4, 5)) is None


def test_ssim_of_plain_greys_is_the_formula_for_means() -> None:
    one, other = torch.full((16, 20, 3), 0.3), torch.full((16, 20, 3), 0.5)
    expected = (2 * 0.3 * 0.5 + 1e-4) / (0.3**2 + 0.5**2 + 1e-4)
    assert ssim(one, other) == pytest.approx(expected, abs=1e-6)
    assert ssim(one, one) == pytest.approx(1, abs=1e-12)


def test_ssim_is_that_of_scikit_image() -> None:
    generator = np.random.default_rng(0)
    truth = torch.from_numpy(generator.random((24, 37, 3)))
    for noise in (0.0, 0.05, 0.5):
        result = (truth + noise * torch.from_numpy(generator.normal(size=truth.shape))).clamp(0, 1)
        expected = structural_similarity(
            luma(result).numpy(),
            luma(truth).numpy(),
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        # Sums of 121 products in double precision, taken in another order.
        assert ssim(result, truth) == pytest.approx(expected, abs=1e-12)


def test_ssim_looks_at_no_window_that_holds_a_masked_pixel() -> None:
    truth = torch.rand(24, 40, 3)
    result = truth.clone()
    result[:, 30:] = torch.rand(24, 10, 3)
    outside = torch.ones(24, 40)
    outside[:, 30:] = 0
    assert ssim(result, truth, outside) == pytest.approx(1, abs=1e-12)
    assert ssim(result, truth) < 0.95
    assert ssim(result, truth, torch.zeros(24, 40)) is None
    assert ssim(result[:10], truth[:10]) is None
