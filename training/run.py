"""What every training stage shares: optimisers, the learning-rate curve, averaged weights, and resuming."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.muon import Muon

log = logging.getLogger("reelpatch.training")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
WARMUP_STEPS = 30
EMA_DECAY = 0.996
SAVE_EVERY_S = 120.0
CLIPS_AT_ONCE = 64 if DEVICE.type == "cuda" else 16  # through the VAE


class OutOfTime(Exception):
    """The time that a run was given is over; it goes on from its checkpoint."""


def has_fast_bfloat16() -> bool:
    """Whether the machine computes in bf16: a GPU, or a CPU with AVX512-BF16.

    Without such units bf16 products are emulated, more than a hundred times slower than fp32. A torch that cannot say what a
    processor has (2.9) counts as on one without.
    """
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return DEVICE.type == "cuda" or bool(capabilities.get("avx512_bf16", False))


if DEVICE.type == "cuda":
    # TF32: models as small as these wait for launches, and of those autocast makes half as many again by its casts.
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True


def fast_arithmetic() -> AbstractContextManager[object]:
    """bf16 autocast on a CPU where bf16 is fast; elsewhere fp32, of which a GPU multiplies in TF32."""
    on_cpu = DEVICE.type == "cpu" and has_fast_bfloat16()
    return torch.autocast("cpu", torch.bfloat16) if on_cpu else nullcontext()


class Matrices:
    """Muon for the weight matrices, AdamW for the rest; `adamw_names` are endings of names kept away from Muon."""

    def __init__(
        self, module: nn.Module, *, muon_lr: float, adamw_lr: float, adamw_names: tuple[str, ...] = ()
    ) -> None:
        named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
        matrices = [p for n, p in named if p.squeeze().ndim >= 2 and not n.endswith(adamw_names)]
        chosen = {id(p) for p in matrices}
        rest = [p for _, p in named if id(p) not in chosen]
        self._trained = [p for _, p in named]
        self._optimizers: list[torch.optim.Optimizer] = []
        if matrices:
            dtype = torch.bfloat16 if has_fast_bfloat16() else torch.float32
            self._optimizers.append(Muon(matrices, lr=muon_lr, dtype=dtype))
        if rest:
            on_gpu: dict[str, Any] = {"fused": True} if DEVICE.type == "cuda" else {}
            self._optimizers.append(
                torch.optim.AdamW(rest, lr=adamw_lr, betas=(0.9, 0.98), weight_decay=0.0, **on_gpu)
            )
        self._peaks = [optimizer.defaults["lr"] for optimizer in self._optimizers]

    def step(self, fraction_of_peak: float) -> None:
        """One update at `fraction_of_peak` of both learning rates; gradients are clipped to norm 1."""
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        for optimizer, peak in zip(self._optimizers, self._peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * fraction_of_peak
            optimizer.step()

    def clear(self) -> None:
        """Gradients are gone, as before the first."""
        for parameter in self._trained:
            parameter.grad = None

    def state_dict(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer in self._optimizers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for optimizer, state in zip(self._optimizers, states, strict=True):
            optimizer.load_state_dict(state)


def curve(step: int, num_steps: int) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the peak."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return fall((step - WARMUP_STEPS) / max(1, num_steps - WARMUP_STEPS))


def fall(progress: float) -> float:
    """Half a cosine from 1 down to 0.02, of a progress from 0 to 1."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Average:
    """An exponential moving average of a module's parameters, by name."""

    def __init__(self, module: nn.Module) -> None:
        self._followed = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.weights = {name: parameter.detach().clone() for name, parameter in self._followed.items()}

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """The average moves towards the parameters by `1 - decay` of the way."""
        torch._foreach_lerp_(list(self.weights.values()), list(self._followed.values()), 1 - decay)


def save_atomically(value: object, path: Path) -> None:
    """torch.save to a temporary name, then rename: a killed run leaves the last whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    torch.save(value, temporary)
    temporary.replace(path)


def train(  # noqa: PLR0913 -- all that a stage decides
    module: nn.Module,
    optimizer: Matrices,
    loss_of: Callable[[int], Tensor],
    *,
    num_steps: int,
    checkpoint: Path,
    first_step: int = 0,
    report: Callable[[Average], str] | None = None,
    until: float = math.inf,
) -> Average:
    """Train from `first_step` to `num_steps`, resuming from `checkpoint` if it is there; returns the averaged weights.

    `loss_of(step)` must draw its batch from the step number alone, so that a resumed run sees what an unbroken
    one would have seen.
    Raises: `OutOfTime` when the monotonic clock reaches `until` before the last step.
    """
    average, start = Average(module), first_step
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=DEVICE, weights_only=True)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        average.weights, start = saved["average"], saved["step"]
        log.info("resuming %s at step %d of %d", checkpoint.name, start, num_steps)
    began, saved_at = time.monotonic(), time.monotonic()
    for step in range(start, num_steps):
        loss = loss_of(step)
        loss.backward()
        optimizer.step(curve(step, num_steps))
        optimizer.clear()
        average.update(min(EMA_DECAY, (step + 1) / (step + 10)))
        if step % 25 == 0:
            pace_s = (time.monotonic() - began) / (step - start + 1)
            log.info(
                "step %d/%d loss %.5f, %.2f s a step, %.0f min left",
                step,
                num_steps,
                loss.item(),
                pace_s,
                pace_s * (num_steps - step) / 60,
            )
        is_over = time.monotonic() > until
        if is_over or time.monotonic() - saved_at > SAVE_EVERY_S or step == num_steps - 1:
            state = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
            save_atomically({**state, "average": average.weights, "step": step + 1}, checkpoint)
            saved_at = time.monotonic()
            if report is not None:
                log.info("step %d: %s", step + 1, report(average))
        if is_over and step < num_steps - 1:
            raise OutOfTime
    return average
