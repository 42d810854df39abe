"""Which attention kernel a card runs: the first row of a table that holds there, checked against fp32 before use."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch import Tensor

Capability = tuple[int, int]
CHOICE_VARIABLE = "DIFFUSERS_ATTN_BACKEND"  # diffusers' own; who sets it has chosen


@dataclass(frozen=True)
class Kernel:
    """One way to compute attention, under diffusers' name for it; `reason` says why it stands before the next.

    `capabilities` are the lowest and highest of CUDA that it was made for; `package` is what has to be installed.
    `worst` is the largest relative error (L2) against fp32 with which it is accepted.
    """

    name: str
    reason: str
    capabilities: tuple[Capability, Capability] | None = None
    package: str | None = None
    worst: float = 0.02

    def refusal(self, capability: Capability | None, packages: Collection[str]) -> str:
        """Why it cannot run here; empty where it can."""
        if self.capabilities is not None:
            low, high = self.capabilities
            if capability is None:
                return "there is no CUDA card"
            if not low <= capability <= high:
                return f"made for CUDA capability {low[0]}.{low[1]} to {high[0]}.{high[1]}, not {capability[0]}.{capability[1]}"
        if self.package is not None and self.package not in packages:
            return f"{self.package} is not installed"
        return ""


# TFLOP/s at head width 128 and 16-32K tokens, as published: SageAttention's charts and the FlashAttention-3 paper.
KERNELS = (
    Kernel(
        "sage",
        "8-bit scores: 493 against FlashAttention-2's 164 on a 4090, 170 against 110 on an A6000",
        ((8, 0), (12, 0)),
        "sageattention",
        worst=0.1,
    ),
    Kernel("_native_cudnn", "595 against FlashAttention-2's 370 on an H100, without loss", ((9, 0), (9, 0))),
    Kernel("native", "PyTorch's own, everywhere"),
)


@dataclass(frozen=True)
class Choice:
    """The kernel to use, and why those before it in the table are not used."""

    kernel: Kernel
    refusals: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """One line, with the refusals."""
        refused = "".join(f"; not {name}: {reason}" for name, reason in self.refusals)
        return f"attention by {self.kernel.name} ({self.kernel.reason}){refused}"


def choose_attention(device: torch.device, dtype: torch.dtype) -> Choice | None:
    """The kernel for a device; None where `DIFFUSERS_ATTN_BACKEND` has chosen already."""
    if os.environ.get(CHOICE_VARIABLE):
        return None
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    packages = {kernel.package for kernel in KERNELS if kernel.package and _is_installed(kernel.package)}
    return first_that_holds(capability, packages, lambda kernel: relative_error(kernel.name, device, dtype))


def first_that_holds(
    capability: Capability | None, packages: Collection[str], error_of: Callable[[Kernel], float]
) -> Choice:
    """The first row whose needs are met and whose error, measured where there is a row after it, is small enough."""
    refusals: list[tuple[str, str]] = []
    for kernel in KERNELS[:-1]:
        reason = kernel.refusal(capability, packages)
        if not reason:
            try:
                error = error_of(kernel)
            except (RuntimeError, ValueError, NotImplementedError) as problem:
                reason = str(problem).splitlines()[0]
            else:
                # The comparison is False for NaN too.
                reason = (
                    "" if error <= kernel.worst else f"it is {error:.2g} off fp32, more than {kernel.worst:g}"
                )
        if not reason:
            return Choice(kernel, tuple(refusals))
        refusals.append((kernel.name, reason))
    return Choice(KERNELS[-1], tuple(refusals))


@torch.no_grad()
def relative_error(name: str, device: torch.device, dtype: torch.dtype) -> float:
    """Of a kernel on 1,024 random tokens of two heads, against attention in fp32."""
    generator = torch.Generator("cpu").manual_seed(0)
    q, k, v = (torch.randn(1, 1024, 2, 128, generator=generator).to(device, dtype) for _ in range(3))
    expected = _attention(q.float(), k.float(), v.float(), AttentionBackendName.NATIVE)
    found = _attention(q, k, v, AttentionBackendName(name)).float()
    return float((found - expected).norm() / expected.norm())


def _attention(q: Tensor, k: Tensor, v: Tensor, backend: AttentionBackendName) -> Tensor:
    return dispatch_attention_fn(q, k, v, backend=backend)


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
