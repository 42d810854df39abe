import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelpatch.clips.references import check_reference, letterbox
from reelpatch.errors import BadInput

sides = st.integers(1, 40)


def bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Half-pixel-centred bilinear resampling, written out pixel by pixel."""
    out = np.empty((height, width, image.shape[2]))
    for row in range(height):
        for column in range(width):
            y = min(max((row + 0.5) * image.shape[0] / height - 0.5, 0), image.shape[0] - 1)
            x = min(max((column + 0.5) * image.shape[1] / width - 0.5, 0), image.shape[1] - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
            upper = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
            lower = image[bottom, left] * (1 - x + left) + image[bottom, right] * (x - left)
            out[row, column] = upper * (1 - y + top) + lower * (y - top)
    return out


@pytest.mark.parametrize(
    ("size", "target", "box"),
    [
        ((20, 20), (32, 64), (0, 16, 32, 32)),  # enlarged, bars left and right
        ((50, 20), (32, 48), (0, 18, 32, 12)),  # 12.8 columns become 12
        ((10, 45), (16, 32), (4, 0, 7, 32)),  # 7.1 rows become 7; 9 left over: 4 above, 5 below
        ((48, 96), (16, 32), (0, 0, 16, 32)),
        ((1, 11), (2, 15), (0, 0, 1, 14)),  # 11 * (15 / 11) is a hair below 15
    ],
)
def test_letterbox_equals_a_direct_computation(
    size: tuple[int, int], target: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    top, left, height, width = box
    expected = np.ones((*target, 3))
    expected[top : top + height, left : left + width] = bilinear(image, height, width)
    np.testing.assert_allclose(letterbox(torch.from_numpy(image), *target).numpy(), expected, atol=2e-6)


def test_a_reference_of_the_clip_size_is_untouched() -> None:
    image = torch.rand(16, 32, 3)
    assert torch.equal(letterbox(image, 16, 32), image)


@given(sides, sides, st.sampled_from([1, 3, 4]), sides, sides)
def test_any_reference_fills_one_side_and_stays_in_range(
    image_height: int, image_width: int, channels: int, height: int, width: int
) -> None:
    image = torch.zeros(image_height, image_width, channels)
    if channels == 4:
        image[..., 3] = 1
    result = letterbox(image, height, width)
    assert result.shape == (height, width, 3)
    black = result[..., 0] == 0
    # One pixel may be missing where the published arithmetic rounds a whole number down.
    assert black.any(dim=0).sum() >= width - 1 or black.any(dim=1).sum() >= height - 1
    assert black.sum() + (result == 1).all(dim=2).sum() == height * width


def test_transparent_parts_become_white_whatever_colour_they_hide() -> None:
    image = torch.zeros(8, 8, 4)
    image[:, :4, 3] = 1
    image[0, 0] = torch.tensor([0.0, 0.0, 0.0, 0.25])
    result = letterbox(image, 8, 8)
    assert (result[:, 4:] == 1).all()
    assert (result[1:, :4] == 0).all()
    assert torch.equal(result[0, 0], torch.tensor([0.75, 0.75, 0.75]))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.zeros(2, 8, 8, 3), "one image"),
        (torch.zeros(8, 8, 2), "1, 3 or 4 channels"),
        (torch.zeros(0, 8, 3), "reference 2 has shape"),
        (torch.full((8, 8, 3), 255.0), "values outside 0..1"),
        (torch.full((8, 8, 3), torch.nan), "NaN"),
    ],
)
def test_what_is_no_reference_is_refused_by_its_number(image: torch.Tensor, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        check_reference(image, 2)
    assert "reference 2" in str(refusal.value)
