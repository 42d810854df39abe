"""The sampling of one window of a long clip, on the engine's noise, with ComfyUI's previews."""

from collections.abc import Callable
from typing import Any

import comfy.utils
import latent_preview
from torch import Tensor

from reelpatch.sampling.noise import FrameNoise, noise_seed

from .guider import ScheduledGuider

OnStep = Callable[[int, object], None]  # how many steps are done, and ComfyUI's preview of the clip


def sample_window(
    guider: ScheduledGuider,
    noise: Tensor,
    latents: Tensor,
    sampler: Any,
    sigmas: Tensor,
    seed: int | FrameNoise,
    on_step: OnStep,
) -> Tensor:
    """The sampled latents; all three of one shape, [1, 16, T, h, w], in the VAE's own numbers but for the noise."""
    model = guider.model_patcher
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def told(step: int, denoised: Tensor, _x: Tensor, _num_steps: int) -> None:
        preview = None if previewer is None else previewer.decode_latent_to_preview_image("JPEG", denoised)
        on_step(step + 1, preview)

    return guider.sample(
        noise,
        latents,
        sampler,
        sigmas,
        callback=told,
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=noise_seed(seed),
    )
