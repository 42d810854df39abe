"""Enhancing one window of a long clip: its latents go over from those of the window before, step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.colour_match import match_part
from reelpatch.clips.frames import FitPlan, Method, Size, fit, plan_fit, restore
from reelpatch.families.lattice import Lattice
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise
from reelpatch.windows.plan_windows import dissolve_latents, join_early, without_step
from reelpatch.windows.window_run import WindowJob
from reelpatch.windows.window_store import FinishedWindow


class LatentEnhancer(Protocol):
    """How a host enhances one window: models, prompts and steps are its own."""

    def denoised(self, frames: Tensor, *, seed: int | FrameNoise, on_progress: OnProgress) -> Tensor:
        """The enhanced latents [16, n + 1, H / 8, W / 8] of frames [4n + 1, H, W, 3] in [0, 1], of legal size."""
        ...

    def decoded(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        """The frames of such latents, in [0, 1]."""
        ...


@dataclass(frozen=True)
class EnhanceWindow:
    """Enhances one window. Of the frames it shares, the first are the earlier window's own: see `join_early`.

    `ahead` is asked for the latents of a window that somebody else may have made before its turn.
    """

    enhancer: LatentEnhancer
    seed: int
    size: Size | None
    fit: Method | None
    lattice: Lattice
    ahead: Callable[[int], Tensor | None] = lambda _number: None

    def denoised(self, job: WindowJob, on_progress: OnProgress) -> Tensor:
        """The enhanced latents of a window, which depend on its pictures alone."""
        clip = to_floats(job.pictures)
        noise = job.noise(self.seed)
        return self.enhancer.denoised(fit(clip, self._plan(clip)), seed=noise, on_progress=on_progress)

    def __call__(self, job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
        """As `Work`."""
        clip, shared, keep = to_floats(job.pictures), job.window.overlap, job.keep
        plan = self._plan(clip)
        latents = self.ahead(job.number)
        if latents is None:
            latents = self.denoised(job, on_progress)
        if shared:
            latents = dissolve_latents(job.carried["latents"], latents)
        enhanced = restore(self.enhancer.decoded(latents, on_progress), plan, clip)
        if shared:
            before = job.carried["pictures"].float() / 255
            enhanced = match_part(enhanced, enhanced[:shared], before)
            enhanced = without_step(enhanced, before[: join_early(shared, self.lattice)])
        finished = to_bytes(enhanced)
        left: dict[str, Tensor] = {}
        if keep:
            left["pictures"] = torch.from_numpy(finished[len(finished) - keep :].copy())
            left["latents"] = latents[:, latents.shape[1] - self.lattice.latent_frames(keep) :]
        return FinishedWindow(
            finished[
                join_early(shared, self.lattice) : len(finished) - keep + join_early(keep, self.lattice)
            ],
            left,
        )

    def _plan(self, clip: Tensor) -> FitPlan:
        return plan_fit(*clip.shape[:3], lattice=self.lattice, size=self.size, method=self.fit)
