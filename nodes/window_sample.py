"""The sampling of one window of a long clip, on the engine's noise, with ComfyUI's previews."""

from collections.abc import Callable
from typing import Any

import comfy.samplers
import comfy.utils
import latent_preview
from torch import Tensor

from reelpatch.edits.render import Start
from reelpatch.sampling.noise import FrameNoise, noise_seed

from .guider import ScheduledGuider

OnStep = Callable[[int, object], None]  # how many steps are done, and ComfyUI's preview of the clip


class PartOfRun(comfy.samplers.Sampler):
    """A sampler over some steps of a run. Guider and edits see all of the run's sigmas, by which they know the step."""

    def __init__(self, sampler: Any, start: Start) -> None:
        self._sampler, self._start = sampler, start

    def sample(self, model_wrap: Any, sigmas: Tensor, *given: Any, **more: Any) -> Tensor:
        """As core's samplers."""
        return self._sampler.sample(model_wrap, self._start.part_of(sigmas), *given, **more)


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
