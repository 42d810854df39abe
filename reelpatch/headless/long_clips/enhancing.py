"""A long clip enhanced: the latents of a window go over from those of the one before, step by step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.clips.colour_match import match_part
from reelpatch.clips.frames import Method, Size, fit, plan_fit, restore
from reelpatch.clips.pixels import to_bytes, to_floats
from reelpatch.clips.windows import dissolve_latents, join_early, without_step
from reelpatch.geometry import latent_frames
from reelpatch.headless.enhance import EnhanceRequest
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.long_clips.identity import identity
from reelpatch.media.stamps import stamp
from reelpatch.media.window_run import LongClip, WindowJob, run_windows
from reelpatch.media.window_store import FinishedWindow
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise


@dataclass(frozen=True)
class EnhanceWindow:
    """Enhances one window. Of the frames it shares, the first are the earlier window's own: see `join_early`."""

    enhancer: Enhancer
    caption: str
    seed: int
    size: Size | None
    fit: Method

    def __call__(self, job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
        """As `Work`."""
        clip, shared, keep = to_floats(job.pictures), job.window.overlap, job.keep
        plan = plan_fit(*clip.shape[:3], size=self.size, method=self.fit)
        noise = FrameNoise(self.seed, job.window.first_latent)
        latents = self.enhancer.denoised(fit(clip, plan), self.caption, seed=noise, on_progress=on_progress)
        if shared:
            latents = dissolve_latents(job.carried["latents"], latents)
        enhanced = restore(self.enhancer.decoded(latents, on_progress), plan, clip)
        if shared:
            before = job.carried["pictures"].float() / 255
            enhanced = match_part(enhanced, enhanced[:shared], before)
            enhanced = without_step(enhanced, before[: join_early(shared)])
        finished = to_bytes(enhanced)
        left: dict[str, Tensor] = {}
        if keep:
            left["pictures"] = torch.from_numpy(finished[len(finished) - keep :].copy())
            left["latents"] = latents[:, latents.shape[1] - latent_frames(keep) :]
        return FinishedWindow(finished[join_early(shared) : len(finished) - keep + join_early(keep)], left)


def enhance_long_clip(
    request: EnhanceRequest, clip: LongClip, enhancer: Enhancer, on_progress: OnProgress
) -> None:
    """Enhances a clip in windows and writes the result. Raises: `BadInput` as `run_windows`."""
    work = EnhanceWindow(enhancer, request.caption, request.seed, request.size, request.fit)
    run = identity(enhancer, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "caption": request.caption,
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
    }
    run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
