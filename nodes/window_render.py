"""How ComfyUI edits one window of a long clip: its own models, guider and sampler, on the engine's noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from reelpatch.clips.frames import FitPlan, fit, fit_mask, restore
from reelpatch.edits.vace.context import build_context, trim_references
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.progress import OnProgress
from reelpatch.sampling.guidance import GuidancePlan, StepRange
from reelpatch.sampling.noise import FrameNoise, draw_noise
from reelpatch.sampling.solvers import SOLVERS

from .host import attach
from .host_vae import encoder
from .sampling import FlowSampler, scheduled_guider
from .window_sample import OnStep, sample_window


@dataclass(frozen=True, eq=False)
class WindowRender:
    """One edit on one MODEL, window after window. As `reelpatch.windows.edit_window.Render`."""

    model: ModelPatcher
    edit_module: ModelPatcher
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
    on_step: OnStep

    def __call__(
        self, clip: Tensor, *, mask: Tensor | None, seed: FrameNoise, plan: FitPlan, on_progress: OnProgress
    ) -> Tensor:
        """The edited clip [F, H, W, 3] as the model made it."""
        on_progress("encoding the clip", 0, 1)
        height, width = plan.size
        context = build_context(
            fit(clip, plan),
            None if mask is None else fit_mask(mask, plan),
            self.references,
            encoder(self.vae),
            frames=plan.frames,
            height=height,
            width=width,
        )
        edit = VaceEdit(
            self.edit_module.model, [VaceContext(context, self.strength, self.active)], self.skip_hints
        )
        edited = attach(self.model, edit, self.edit_module)
        shape = plan.lattice.latent_shape(plan.frames, plan.size, references=len(self.references))
        noise = draw_noise(shape, seed, references=len(self.references))[None]
        samples = sample_window(
            scheduled_guider(edited, self.positive, self.negative, self.guidance),
            noise,
            torch.zeros_like(noise),
            self._sampler_of(noise, seed),
            self.sigmas,
            seed,
            self.on_step,
        )
        on_progress("decoding", 0, 1)
        decoded = self.vae.decode(trim_references(samples, len(self.references)))
        return restore(decoded[0].clamp(0, 1).to(clip), plan, clip)

    def _sampler_of(self, noise: Tensor, seed: FrameNoise) -> Any:
        """The sampler; one that adds noise of its own adds this part's."""
        if (
            not isinstance(self.sampler, FlowSampler)
            or self.sampler.sampler_function is not SOLVERS["renoise"]
        ):
            return self.sampler
        drawn = seed.sampler(noise, references=len(self.references))
        return FlowSampler(SOLVERS["renoise"], {**self.sampler.extra_options, "noise_sampler": drawn})
