"""Self-attention over the tokens of a clip, by each kernel of the table that runs here; the others say why not."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch import Tensor

from benchmarks.timing import interleaved
from reelpatch.headless.models.attention import KERNELS, relative_error

WIDTH = 128  # of a head


def attention_kernels(
    tokens: int,
    heads: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    turns: int,
    wait: Callable[[], object],
) -> dict[str, dict[str, Any]]:
    """Of each kernel its times, its rate and its error against fp32, or why it is not measured."""
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    generator = torch.Generator(device).manual_seed(0)
    q, k, v = (
        torch.randn(1, tokens, heads, WIDTH, device=device, dtype=dtype, generator=generator)
        for _ in range(3)
    )
    packages = {one.package for one in KERNELS if one.package and find_spec(one.package)}
    found: dict[str, dict[str, Any]] = {}
    runs: dict[str, Callable[[], Tensor]] = {}
    for kernel in KERNELS:
        reason = kernel.refusal(capability, packages)
        try:
            error = None if reason else relative_error(kernel.name, device, dtype)
        except (RuntimeError, ValueError, NotImplementedError) as problem:
            error, reason = None, str(problem).splitlines()[0]
        if error is None:
            found[kernel.name] = {"not_measured": reason}
            continue
        found[kernel.name] = {"relative_error": error, "accepted": error <= kernel.worst}
        backend = AttentionBackendName(kernel.name)
        runs[kernel.name] = lambda backend=backend: dispatch_attention_fn(q, k, v, backend=backend)
    flops = 4 * tokens**2 * heads * WIDTH
    for name, times in interleaved(runs, turns=turns, wait=wait).items():
        found[name] |= times.as_dict() | {"tflop_per_s": flops / times.median / 1e12}
    return found


def rows(found: dict[str, dict[str, Any]]) -> list[str]:
    """The figures as Markdown."""
    lines = ["", "| attention | seconds | TFLOP/s | off fp32 |", "|---|---|---|---|"]
    for name, one in found.items():
        if "not_measured" in one:
            lines.append(f"| {name} | not measured: {one['not_measured']} | | |")
        else:
            lines.append(
                f"| {name} | {one['median_s']:.4f} | {one['tflop_per_s']:.1f} | {one['relative_error']:.2g} |"
            )
    return lines
