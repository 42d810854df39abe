"""How ComfyUI edits one window of a long clip: its own models, guider and sampler, on the engine's noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from reelpatch.clips.frames import FitPlan
from reelpatch.edits.render import Start, render
from reelpatch.edits.work import EditSettings, EditWork, Material
from reelpatch.progress import OnProgress
from reelpatch.sampling.guidance import GuidancePlan
from reelpatch.sampling.noise import FrameNoise
from reelpatch.sampling.solvers import SOLVERS
from reelpatch.sampling.step_range import StepRange

from .guider import scheduled_guider
from .host import attach, check_backbone
from .host_vae import encoder
from .sampling import FlowSampler
from .window_sample import OnStep, PartOfRun, sample_window


@dataclass(frozen=True, eq=False)
class WindowRender:
    """One edit on one MODEL, window after window. As `reelpatch.windows.edit_window.Render`."""

    model: ModelPatcher
    edit_module: ModelPatcher | None
    vae: Any
    positive: Any
    negative: Any
    guidance: GuidancePlan
    sampler: Any
    sigmas: Tensor
    references: Sequence[Tensor]
    strength: float
    active: StepRange
    skip_hints: bool
    work: EditWork
    on_step: OnStep
    half_size_steps: int = 0

    def __call__(
        self,
        clip: Tensor,
        *,
        mask: Tensor | None,
        seed: int | FrameNoise,
        plan: FitPlan,
        on_progress: OnProgress,
    ) -> Tensor:
        """The edited clip [F, H, W, 3] as the model made it."""
        material = Material(clip, plan, mask, self.references)
        return render(self, self.work, material, seed=seed, on_progress=on_progress)

    @property
    def settings(self) -> EditSettings:
        """As `RenderHost`."""
        return EditSettings(self.strength, self.active, self.skip_hints, half_size_steps=self.half_size_steps)

    def encode(self, video: Tensor) -> Tensor:
        """As `RenderHost`."""
        return encoder(self.vae, check_backbone(self.model, None))(video)

    def sample(self, work: EditWork, start: Start, on_progress: OnProgress) -> Tensor:  # noqa: ARG002 -- ComfyUI is told by `on_step`
        """As `RenderHost`."""
        edited = self.model
        module = None if self.edit_module is None else self.edit_module.model
        for edit in work.edits(module, start.prepared, self.settings):
            edited = attach(edited, edit, self.edit_module)
        noise, begun = start.noise[None], start.prepared.clip_latents
        samples = sample_window(
            scheduled_guider(edited, self.positive, self.negative, self.guidance),
            noise,
            torch.zeros_like(noise) if begun is None else begun[None],
            PartOfRun(self._sampler_of(noise, start.seed, start.prepared.references), start),
            self.sigmas,
            start.seed,
            lambda step, preview: self.on_step(start.first + step, preview),
        )
        return samples[0]

    def decode(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        """As `RenderHost`."""
        on_progress("decoding", 0, 1)
        return self.vae.decode(latents[None])[0].float().cpu().clamp(0, 1)

    def _sampler_of(self, noise: Tensor, seed: int | FrameNoise, references: int) -> Any:
        """The sampler; one that adds noise of its own adds this part's."""
        sampler = self.sampler
        is_renoising = isinstance(sampler, FlowSampler) and sampler.sampler_function is SOLVERS["renoise"]
        if not is_renoising or not isinstance(seed, FrameNoise):
            return sampler
        drawn = seed.sampler(noise, references=references)
        return FlowSampler(SOLVERS["renoise"], {**sampler.extra_options, "noise_sampler": drawn})
