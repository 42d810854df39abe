"""Enhancing: a finished clip is noised a little and denoised again, by the last steps of a schedule.

Source: Ditto's denoising enhancer, which takes 4 of 40 steps (`native`, shift 12) of Wan2.2 T2V-A14B.
"""

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.sampling.schedules import high_noise_steps


def last_steps(sigmas: Tensor, steps: int, *, boundary: float | None = None) -> Tensor:
    """The sigmas of the last `steps` steps of a schedule: how strongly a clip is enhanced.

    Shapes: sigmas [n + 1], result [steps + 1], both ending in 0.
    `boundary` is where the low-noise expert ends, in parts of 1000 timesteps; None for models that are one.
    Raises: BadInput for no steps, more than there are, and steps that the low-noise expert was not made for.
    """
    num_steps = len(sigmas) - 1
    most = num_steps if boundary is None else num_steps - high_noise_steps(sigmas, boundary)
    if not 1 <= steps <= num_steps:
        raise BadInput(
            f"{steps} last steps were asked for, of a run of {num_steps}: use 1 to {most}.", setting="steps"
        )
    if steps > most:
        raise BadInput(
            f"{steps} last steps begin above timestep {1000 * (boundary or 0):g}, where the high-noise expert is needed "
            f"as well: use 1 to {most} with the low-noise expert alone.",
            setting="steps",
        )
    return sigmas[num_steps - steps :]


def noised(latents: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """The clip at a noise level, (1 - sigma) * latents + sigma * noise, in fp32; all of one shape."""
    return torch.lerp(latents.float(), noise.float(), sigma)
