"""Ways from noise to a clip, as functions of the k-diffusion form, for models that predict velocity.

`model(x, sigma, **extra_args)` gets latents and one sigma per batch row, and returns the clean latents it sees
in them: x0 = x - sigma * v. Passing a part of a schedule runs that part of it.
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.sampling.schedules import TIMESTEPS, TOP_GAP, timestep


class Denoise(Protocol):
    """The model as a solver sees it."""

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        """The clean latents seen in `x` [B, ...] at the noise level `sigma` [B]."""
        ...


ExtraArgs = Mapping[str, Any]
Callback = Callable[[dict[str, Any]], None]  # gets i, sigma, sigma_hat, x and denoised before each step
NoiseSampler = Callable[[float, float], Tensor]  # (sigma, next sigma) -> noise shaped like the latents
Predict = Callable[[int, Tensor], Tensor]  # (step, x) -> denoised
Between = Callable[[int, Tensor], Tensor]
"""(step, tensor) -> what goes on in its place from this step on, counted from 0: called before each step, for the latents and
for all that a solver remembers of them, whose shapes may change together."""


def sample_flow_unipc(  # noqa: PLR0913 -- k-diffusion's form has six
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    extra_args: ExtraArgs | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,  # noqa: ARG001 -- k-diffusion's form; no progress bar is drawn here
    *,
    truncate_timesteps: bool = True,
    between: Between | None = None,
) -> Tensor:
    """UniPC of order 2 ("bh2") with its corrector: what Wan, VACE, VDOT and Ditto's workflow run.

    The last step to 0, and the first one taken, are of order 1. So the tail of a longer schedule runs as the
    enhancer runs it: 4 of 40 steps have the orders 1, 2, 2, 1.

    Guarantees: the last x0 prediction is the result, bit for bit, when the sigmas end in 0.
    Raises: BadInput for sigmas that are no flow schedule and for non-finite latents.
    Source: Zhao et al. 2023, UniPC, in the form of Wan-Video's `FlowUniPCMultistepScheduler`.
    """
    # At 1 the log-SNR would be infinite; diffusers stays below by the same gap.
    levels = [min(level, 1 - TOP_GAP) for level in _checked(sigmas)]
    predict = _predictor(model, levels, extra_args, callback, truncate_timesteps=truncate_timesteps)
    step = None
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        if between is not None:
            x, step = between(i, x), step and step.changed(i, between)
        denoised = predict(i, x)
        if step:  # corrector: redo the last step, now that the prediction at its end is known
            x = step.corrected(denoised)
        h = _log_snr(sigma_next) - _log_snr(sigma)
        slope, weights = 0.0, (0.0, 0.5)
        if step and sigma_next > 0:  # order 2: the change of the last step, taken to the length of this one
            ratio = (_log_snr(levels[i - 1]) - _log_snr(sigma)) / h
            slope, weights = (step.denoised - denoised) / ratio, _corrector_weights(h, ratio)
        step = _Step((sigma_next / sigma) * x, -(1 - sigma_next) * math.expm1(-h), denoised, slope, weights)
        x = step.predicted()
    return x


def sample_flow_euler(  # noqa: PLR0913 -- k-diffusion's form has six
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    extra_args: ExtraArgs | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,  # noqa: ARG001 -- k-diffusion's form; no progress bar is drawn here
    *,
    truncate_timesteps: bool = False,
    between: Between | None = None,
) -> Tensor:
    """Straight steps along the velocity: DiffSynth, HunyuanVideo-1.5, LightX2V since November 2025.

    Guarantees: the last x0 prediction is the result, bit for bit, when the sigmas end in 0.
    Raises: BadInput for sigmas that are no flow schedule and for non-finite latents.
    """
    levels = _checked(sigmas)
    predict = _predictor(model, levels, extra_args, callback, truncate_timesteps=truncate_timesteps)
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        x = x if between is None else between(i, x)
        denoised = predict(i, x)
        # x + (sigma_next - sigma) * v with v = (x - denoised) / sigma
        x = denoised + (sigma_next / sigma) * (x - denoised)
    return x


def sample_flow_renoise(  # noqa: PLR0913 -- k-diffusion's form has six
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    extra_args: ExtraArgs | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,  # noqa: ARG001 -- k-diffusion's form; no progress bar is drawn here
    noise_sampler: NoiseSampler | None = None,
    *,
    between: Between | None = None,
) -> Tensor:
    """Jump to x0, then back up to the next level with fresh noise: CausVid, Self-Forcing, kijai's `lcm`.

    Without a `noise_sampler` the noise comes from `seeded_noise` with `extra_args["seed"]`, where ComfyUI puts
    it, or 0.

    Guarantees: the last x0 prediction is the result, bit for bit, when the sigmas end in 0.
    Raises: BadInput for sigmas that are no flow schedule and for non-finite latents.
    """
    levels = _checked(sigmas)
    predict = _predictor(model, levels, extra_args, callback, truncate_timesteps=False)
    draw = noise_sampler or seeded_noise(x, (extra_args or {}).get("seed") or 0)
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        x = predict(i, x if between is None else between(i, x))
        if sigma_next > 0:
            noise = draw(sigma, sigma_next)
            if between is not None:  # it is drawn in the shape that the latents began with
                for step in range(i + 1):
                    noise = between(step, noise)
            x = (1 - sigma_next) * x + sigma_next * noise
    return x


Solver = Callable[..., Tensor]
SOLVERS: dict[str, Solver] = {
    "unipc": sample_flow_unipc,
    "euler": sample_flow_euler,
    "renoise": sample_flow_renoise,
}


def seeded_noise(x: Tensor, seed: int) -> NoiseSampler:
    """A noise sampler for latents like `x` that draws the same on every device, always on the CPU in fp32."""
    # Hosts draw the first noise from the seed itself; the same numbers must not come back as fresh noise.
    generator = torch.Generator("cpu").manual_seed((seed + 1) % 2**64)

    def draw(_sigma: float, _sigma_next: float) -> Tensor:
        return torch.randn(x.shape, generator=generator).to(x)

    return draw


class _Step(NamedTuple):
    """A UniPC step: exact where x0 stays as it is; what it is seen or expected to change is weighed in."""

    drift: Tensor
    scale: float
    denoised: Tensor
    slope: Tensor | float  # the change of x0 that order 2 expects
    weights: tuple[float, float]  # in the corrector, of the expected change and of the seen one

    def predicted(self) -> Tensor:
        """The latents at the end of the step, from what was known at its start."""
        return self.drift + self.scale * (self.denoised + self.slope / 2)

    def corrected(self, after: Tensor) -> Tensor:
        """The same latents, now that x0 `after` the step is known too."""
        expected, seen = self.weights
        change = expected * self.slope + seen * (after - self.denoised)
        return self.drift + self.scale * (self.denoised + change)

    def changed(self, step: int, between: Between) -> "_Step":
        """The same step, as if it had been taken with the latents that go on from `step`."""
        slope = between(step, self.slope) if isinstance(self.slope, Tensor) else self.slope
        return self._replace(
            drift=between(step, self.drift), denoised=between(step, self.denoised), slope=slope
        )


def _checked(sigmas: Tensor) -> list[float]:
    levels: list[float] = sigmas.tolist()
    falling = all(after < before for before, after in pairwise(levels))
    if not falling or any(not 0 <= level <= 1 for level in levels):
        listed = ", ".join(f"{level:.4g}" for level in levels[:3])
        raise BadInput(
            f"the sigmas start {listed}, but this sampler needs the falling levels of a flow model within "
            "1 ... 0: use a Wan schedule (Reelpatch's, or core's with ModelSamplingSD3)."
        )
    return levels


def _predictor(
    model: Denoise,
    levels: list[float],
    extra_args: ExtraArgs | None,
    callback: Callback | None,
    *,
    truncate_timesteps: bool,
) -> Predict:
    """What every solver does at the start of a step: ask the model, check what it says, tell the host."""
    extra = extra_args or {}

    def predict(i: int, x: Tensor) -> Tensor:
        sigma = levels[i]
        denoised = _denoise(model, x, sigma, extra, truncate_timesteps=truncate_timesteps)
        if not bool(torch.isfinite(denoised).all()):
            raise BadInput(
                f"the model returned NaN or infinite latents at step {i + 1} of {len(levels) - 1} "
                f"(sigma {sigma:.4f}): use bf16 or fp32 instead of fp16, and check the weights and "
                "LoRA files.",
                setting="dtype",
            )
        if callback is not None:
            callback({"i": i, "sigma": sigma, "sigma_hat": sigma, "x": x, "denoised": denoised})
        return denoised

    return predict


def _denoise(
    model: Denoise, x: Tensor, sigma: float, extra_args: ExtraArgs, *, truncate_timesteps: bool
) -> Tensor:
    """The clean latents seen in `x` at `sigma`, by a network that may be shown the timestep as a whole number.

    The references cut the timestep they show the network, but not the sigma they compute with. A model in this
    form knows only one number, so it is asked at the cut level: x0' = x - cut * v(x, cut). That gives back
    v = (x - x0') / cut, and x0 = x - sigma * v. It is exact for any model of the form x - sigma * v, guided or
    not, since guidance mixes such predictions of the same x and sigma.
    """
    # Never above sigma itself, so that a window of noise levels holds both or neither.
    cut = min(sigma, timestep(sigma, truncate=truncate_timesteps) / TIMESTEPS)
    if cut == 0:  # below 1/1000 the velocity cannot be told from x0; the network then sees the true timestep
        cut = sigma
    # Half-precision latents must not round the level: bf16 knows nothing between 0.996 and 1.
    row_sigmas = torch.full(
        [x.shape[0]], cut, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device
    )
    denoised = model(x, row_sigmas, **extra_args)
    return denoised if cut == sigma else x + (sigma / cut) * (denoised - x)


def _log_snr(sigma: float) -> float:
    return math.log1p(-sigma) - math.log(sigma) if sigma else math.inf


def _corrector_weights(h: float, ratio: float) -> tuple[float, float]:
    """The order-2 weights of the past and of the new difference, from [[1, 1], [ratio, 1]] w = b."""
    decay = math.expm1(-h)
    first = -decay / h - 1
    b = first / decay, 2 * (-first / h - 0.5) / decay
    past = (b[0] - b[1]) / (1 - ratio)
    return past, b[0] - past
