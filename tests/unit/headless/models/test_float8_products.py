"""Products in fp8: exact where the input is, near elsewhere, and only where weights and machine are made for them."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reelpatch.errors import BadInput
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.evaluate import FP8_BACKBONE, with_backbone
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.device_choice import check_multiplies_float8
from reelpatch.headless.models.float8_products import float8_linear, multiply_in_float8
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.models.stored_layers import StoredLinear
from reelpatch.recipes import recipe
from reelpatch.weights.float8 import widened

FLOAT8 = torch.float8_e4m3fn


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factors", [0, 1, 64])
def test_a_product_is_near_that_of_the_widened_weight(dtype: torch.dtype, factors: int) -> None:
    x, weight = random(2, 40, 128).to(dtype), random(64, 128, seed=1).to(FLOAT8)
    factor = random(factors, 1, seed=2).abs() + 0.1 if factors else None
    bias = random(64, seed=3).to(dtype)
    wanted = functional.linear(x.float(), widened(weight, factor, torch.float32), bias.float())
    found = float8_linear(x, weight, factor, bias)
    assert (found.dtype, found.shape) == (dtype, wanted.shape)
    assert float((found.float() - wanted).norm() / wanted.norm()) < 0.035


def test_inputs_that_fp8_holds_are_multiplied_exactly() -> None:
    x = random(32, 64).to(FLOAT8).float()
    x[0, 0] = 448.0  # the scale is then one
    weight = random(32, 64, seed=1).to(FLOAT8)
    wanted = functional.linear(x.double(), weight.double()).float()
    torch.testing.assert_close(float8_linear(x, weight, None, None), wanted, atol=2e-4, rtol=1e-5)


def test_a_row_of_zeros_stays_one() -> None:
    assert not float8_linear(torch.zeros(16, 32), random(16, 32).to(FLOAT8), None, None).any()


def test_only_layers_with_whole_steps_and_e4m3_weights_are_chosen() -> None:
    layers = nn.ModuleList(StoredLinear(width, 32, bias=False) for width in (32, 40, 32, 32))
    for layer, dtype in zip(layers, (FLOAT8, FLOAT8, torch.float8_e5m2, torch.bfloat16), strict=True):
        layer.weight = nn.Parameter(layer.weight.to(dtype), requires_grad=False)
    assert multiply_in_float8([layers]) == 1
    assert layers[0].product is float8_linear
    assert [layer.product for layer in layers][1:] == [None] * 3
    with pytest.raises(BadInput, match="no layer of these files holds fp8"):
        multiply_in_float8([nn.Linear(32, 32)])


def test_the_demo_s_fp8_files_make_nearly_the_same_edit() -> None:
    example = scenes.example(scenes.HELD_OUT, kind="style", mask_kind="none")
    clip = torch.from_numpy(example.source)
    made = {
        is_on: Editor(
            with_backbone(recipe("demo"), FP8_BACKBONE), machine=MachineOptions(float8_products=is_on)
        ).render(clip, example.instruction)
        for is_on in (False, True)
    }
    off = (made[True] - made[False]).abs().mean()
    moved = (made[False] - clip).abs().mean()
    assert 0 < float(off) < 0.1 * float(moved)


def test_files_without_fp8_and_cards_without_units_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = Editor(recipe("demo"), machine=MachineOptions(float8_products=True))
    with pytest.raises(BadInput, match="use the fp8 file of the backbone"):
        editor.transformer()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 6))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA GeForce RTX 3060")
    with pytest.raises(BadInput, match="RTX 3060 has no fp8 units"):
        check_multiplies_float8(torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 9))
    check_multiplies_float8(torch.device("cuda"))


def test_no_step_waits_for_the_host() -> None:
    """Under FakeTensor a value that is asked for on the host raises."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x, weight = torch.empty(32, 64, dtype=torch.bfloat16), torch.empty(32, 64).to(FLOAT8)
        assert float8_linear(x, weight, torch.ones(1, 1), torch.ones(32)).shape == (32, 32)
