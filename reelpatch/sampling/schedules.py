"""The noise levels of every published sampler of the Wan family, as lists of sigmas.

A schedule of n steps is n + 1 falling sigmas in [0, 1] that end in 0: fp32 on the CPU, as the references keep
them (the arithmetic before that is float64, as theirs is). A timestep is 1000 * sigma.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reelpatch.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.float64]

TIMESTEPS = 1000
# Wan's scheduler derives its noise levels from fp32 alphas 1 ... 0.001, so they stop short of 1.
NATIVE_SIGMA_MAX = float(np.float32(0.999))
# diffusers lowers a first sigma of 1, whose log-SNR would be infinite, by this much.
TOP_GAP = 1e-6
# The largest error fp32 makes in 1000 * sigma: a timestep this close to a whole number is that number.
TIMESTEP_ROUNDING = TIMESTEPS * 2.0**-24

WARPED = (1000, 750, 500, 250)
WARPED_999 = (999, 750, 500, 250)
CAUSVID_14B = (999, 934, 862, 756, 603, 410, 250, 140, 74)
CAUSVID_BIDIRECTIONAL = (1000, 757, 522)

Schedule = Callable[[int, float], Tensor]


def shifted(sigma: Levels, shift: float) -> Levels:
    """The levels moved towards noise: s*sigma / (1 + (s-1)*sigma). A shift of 1 changes nothing."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def native(steps: int, shift: float) -> Tensor:
    """Grid N, of Wan2.1/2.2, VACE, VDOT and the enhancer, and of diffusers up to 0.35.

    Source: Wan-Video, `FlowUniPCMultistepScheduler.set_timesteps`.
    """
    return _finished(shifted(np.linspace(NATIVE_SIGMA_MAX, 0, steps + 1)[:-1], shift))


def kijai(steps: int, shift: float) -> Tensor:
    """Grid K, which Ditto's workflow ran on: as `native`, with the shift applied to the top end twice.

    Source: kijai/ComfyUI-WanVideoWrapper, scheduler `unipc` of August 2025.
    """
    top = shifted(np.array(NATIVE_SIGMA_MAX), shift).item()
    return _finished(shifted(np.linspace(top, 0, steps + 1)[:-1], shift))


def diffusers(steps: int, shift: float) -> Tensor:
    """Grid D42, of diffusers 0.42: from (almost) 1 towards 0.001.

    Source: diffusers, `UniPCMultistepScheduler` with `use_flow_sigmas`.
    """
    sigmas = shifted(np.linspace(1, 1 / TIMESTEPS, steps + 1)[:-1], shift)
    sigmas[0] -= TOP_GAP
    return _finished(sigmas)


def euler(steps: int, shift: float) -> Tensor:
    """Grid E, of DiffSynth, Kiwi-Edit and HunyuanVideo-1.5: exactly from 1 to 0.

    DiffSynth rounds the timestep to bf16 before the network sees it (995.935 becomes 996); here it stays float.
    """
    return _finished(shifted(np.linspace(1, 0, steps + 1)[:-1], shift))


def warped(steps: int, shift: float) -> Tensor:
    """Grid W, of CausVid, Self-Forcing and LightX2V: four evenly spaced levels, shifted."""
    return _listed("warped", WARPED, steps, shift=shift)


def warped_999(steps: int, shift: float) -> Tensor:
    """Grid W from 999, kijai's `flowmatch_distill`."""
    return _listed("warped-999", WARPED_999, steps, shift=shift)


def causvid_14b(steps: int, shift: float) -> Tensor:
    """The first `steps` of kijai's `flowmatch_causvid` levels for 14B, which take no shift."""
    _refuse_shift("causvid-14b", shift)
    if steps > len(CAUSVID_14B):
        raise BadInput(
            f"the schedule 'causvid-14b' has {len(CAUSVID_14B)} levels, but {steps} steps were asked for: "
            f"use at most {len(CAUSVID_14B)}.",
            setting="steps",
        )
    return _finished(np.array(CAUSVID_14B[:steps]) / TIMESTEPS)


def causvid_bidirectional(steps: int, shift: float) -> Tensor:
    """The three levels of CausVid's bidirectional generator, for re-noise sampling; they take no shift."""
    _refuse_shift("causvid-bidirectional", shift)
    return _listed("causvid-bidirectional", CAUSVID_BIDIRECTIONAL, steps, shift=1)


SCHEDULES: dict[str, Schedule] = {
    "native": native,
    "kijai": kijai,
    "diffusers-0.35": native,
    "diffusers": diffusers,
    "euler": euler,
    "warped": warped,
    "warped-999": warped_999,
    "causvid-14b": causvid_14b,
    "causvid-bidirectional": causvid_bidirectional,
}


def make_sigmas(schedule: str, steps: int, *, shift: float) -> Tensor:
    """The sigmas of a schedule by its name in `SCHEDULES`.

    Shapes: [steps + 1] fp32 on the CPU, falling, the last 0.
    Raises: BadInput for an unknown name, no steps, a shift that is not positive, or what the schedule cannot do.
    """
    if schedule not in SCHEDULES:
        raise BadInput(f"there is no schedule '{schedule}': choose one of {', '.join(SCHEDULES)}.")
    if steps < 1:
        raise BadInput(f"{steps} steps were asked for: use at least 1.", setting="steps")
    if not 0 < shift < float("inf"):
        raise BadInput(
            f"the shift is {shift:g}, but it has to be positive: 1 shifts nothing, Wan uses 2 to 16."
        )
    return SCHEDULES[schedule](steps, shift)


def timestep(sigma: float, *, truncate: bool) -> float:
    """1000 * sigma, cut to a whole number where the reference feeds the network integers.

    Guarantees: the integer of the float64 level, although `sigma` has been rounded to fp32 since.
    """
    exact = TIMESTEPS * sigma
    return float(int(exact + TIMESTEP_ROUNDING)) if truncate else exact


def step_of(sigmas: Tensor, sigma: float) -> int:
    """The step of a run over `sigmas` that a call at `sigma` belongs to, counted from 0.

    Inner levels of solvers with several calls a step, and levels cut to whole timesteps, belong to the step above.
    """
    reached = int((sigmas >= sigma).sum()) - 1
    return min(max(reached, 0), len(sigmas) - 2)


def high_noise_steps(sigmas: Tensor, boundary: float) -> int:
    """How many steps Wan2.2's high-noise expert takes: those whose whole timestep is at or above the boundary.

    Units: `boundary` is a fraction of 1000 (0.875 for T2V-A14B, 0.9 for I2V-A14B).
    """
    return sum(timestep(sigma, truncate=True) >= boundary * TIMESTEPS for sigma in sigmas[:-1].tolist())


def _finished(sigmas: Levels) -> Tensor:
    return torch.from_numpy(np.append(sigmas, 0).astype(np.float32))


def _listed(name: str, timesteps: tuple[int, ...], steps: int, *, shift: float) -> Tensor:
    if steps != len(timesteps):
        raise BadInput(
            f"the schedule '{name}' is published for {len(timesteps)} steps, but {steps} were asked for: "
            f"use {len(timesteps)}, or the schedule 'euler' for another number.",
            setting="steps",
        )
    return _finished(shifted(np.array(timesteps) / TIMESTEPS, shift))


def _refuse_shift(name: str, shift: float) -> None:
    if shift != 1:
        raise BadInput(f"the schedule '{name}' takes no shift, but {shift:g} was given: use a shift of 1.")
