"""The table of attention kernels: what holds where, and why a row is passed over."""

import pytest
import torch

from reelpatch.headless.models.attention import (
    CHOICE_VARIABLE,
    KERNELS,
    Kernel,
    choose_attention,
    first_that_holds,
    relative_error,
)

SAGE = {"sageattention"}
CPU = torch.device("cpu")


def exact(_kernel: Kernel) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("capability", "packages", "name"),
    [
        ((9, 0), set(), "_native_cudnn"),
        ((9, 0), SAGE, "sage"),
        ((8, 9), set(), "native"),
        ((8, 9), SAGE, "sage"),
        ((8, 6), SAGE, "sage"),
        ((7, 5), SAGE, "native"),
        ((12, 0), set(), "native"),
        (None, SAGE, "native"),
    ],
)
def test_the_first_row_that_holds(capability: tuple[int, int] | None, packages: set[str], name: str) -> None:
    choice = first_that_holds(capability, packages, exact)
    assert choice.kernel.name == name
    passed_over = [kernel.name for kernel in KERNELS][: KERNELS.index(choice.kernel)]
    assert [refused for refused, _ in choice.refusals] == passed_over


@pytest.mark.parametrize("error", [0.5, float("nan")])
def test_a_kernel_that_computes_something_else_is_refused(error: float) -> None:
    choice = first_that_holds((9, 0), SAGE, lambda kernel: error if kernel.name == "sage" else 0.001)
    assert choice.kernel.name == "_native_cudnn"
    assert "off fp32, more than 0.1" in choice.describe()


def test_a_kernel_that_fails_is_refused_with_its_reason() -> None:
    def fail(_kernel: Kernel) -> float:
        raise RuntimeError("no kernel image is available\nand more")

    choice = first_that_holds((9, 0), SAGE, fail)
    assert choice.kernel.name == "native"
    assert choice.describe() == (
        "attention by native (PyTorch's own, everywhere); not sage: no kernel image is available; "
        "not _native_cudnn: no kernel image is available"
    )


def test_on_a_cpu_it_is_pytorchs_own() -> None:
    choice = choose_attention(CPU, torch.float32)
    assert choice is not None
    assert choice.kernel.name == "native"
    assert "there is no CUDA card" in choice.describe()


def test_who_sets_diffusers_variable_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE_VARIABLE, "native")
    assert choose_attention(CPU, torch.float32) is None


def test_the_check_measures_an_error() -> None:
    assert relative_error("native", CPU, torch.float32) == 0
    assert 0 < relative_error("native", CPU, torch.bfloat16) < KERNELS[-1].worst
