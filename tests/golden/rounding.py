"""How far two right answers may lie apart: by the digits that were printed, and by what float32 rounds on the way.

Kernels differ from processor to processor and from version to version: they sum in another order, in other widths, on
another number of threads. No last bit is safe, so no comparison across kernels asks for one. A bound here is

    half of the last printed digit  +  2 * depth * magnitude * 2^-24

where the magnitude is that of the largest number compared, the depth counts the layers (or steps of arithmetic) that
round one after the other, each by one unit roundoff of its own result, and the two is for the golden, which came from
such a run too. A third of it is the most seen on a processor with AVX2, under any setting of `make test-cpus`; one
matrix that is off by a thousandth is outside (`test_a_weight_that_is_off_by_a_thousandth_is_seen`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

UNIT_ROUNDOFF = 2.0**-24  # of float32


def rounding(magnitude: float, depth: int) -> float:
    """How far two float32 runs of the same formula may differ, absolute, in numbers up to `magnitude`."""
    return 2 * depth * magnitude * UNIT_ROUNDOFF


def printed(magnitude: float, depth: int, digits: int = 6) -> float:
    """The same against numbers that were printed with so many digits after the point."""
    return 0.5 * 10.0**-digits + rounding(magnitude, depth)


def depth_of(*models: nn.Module) -> int:
    """The layers with weights of their own, which is at least as many as round one after the other."""
    return sum(bool(list(part.parameters(recurse=False))) for model in models for part in model.modules())


def assert_printed(found: Tensor, golden: Mapping[str, Any], depth: int) -> None:
    """The statistics and the ends of a tensor are the golden's; its size (`n`, and `shape` where given) too."""
    flat = found.detach().double().flatten()
    assert flat.numel() == golden["n"]
    assert [*found.shape] == golden.get("shape", [*found.shape])
    for part, value in (
        ("mean", flat.mean()),
        ("std", flat.std(correction=0)),
        ("absmax", flat.abs().max()),
        ("first", flat[:6]),
        ("last", flat[-4:]),
    ):
        expected = torch.tensor(golden[part], dtype=torch.float64)
        tolerance = printed(golden["absmax"], depth)
        torch.testing.assert_close(
            value, expected, atol=tolerance, rtol=0, msg=lambda text, part=part: f"{part}: {text}"
        )


def assert_rounds_alike(found: Tensor, expected: Tensor, depth: int) -> None:
    """Two float32 runs of the same formula gave the same, up to what `depth` layers or steps round."""
    tolerance = rounding(expected.abs().max().item(), depth)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
