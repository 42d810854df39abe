"""A long clip enhanced: the latents of a window go over from those of the one before, then its pictures do."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.clips.colour_match import match_part
from reelpatch.clips.frames import Method, Size, fit, plan_fit, restore
from reelpatch.clips.pixels import to_bytes, to_floats
from reelpatch.clips.windows import FrameWindow, dissolve, dissolve_latents
from reelpatch.geometry import latent_frames
from reelpatch.headless.enhance import EnhanceRequest
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.long_clips.identity import identity
from reelpatch.media.stamps import stamp
from reelpatch.media.video_io import Frames
from reelpatch.media.window_run import LongClip, run_windows
from reelpatch.media.window_store import FinishedWindow
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise


@dataclass(frozen=True)
class EnhanceWindow:
    """Enhances one window. The first of the frames it shares is the earlier window's own; the others dissolve."""

    enhancer: Enhancer
    caption: str
    seed: int
    size: Size | None
    fit: Method

    def __call__(
        self,
        pictures: Frames,
        window: FrameWindow,
        carried: Mapping[str, Tensor],
        keep: int,
        on_progress: OnProgress,
    ) -> FinishedWindow:
        """As `Work`."""
        clip, shared = to_floats(pictures), window.overlap
        plan = plan_fit(*clip.shape[:3], size=self.size, method=self.fit)
        noise = FrameNoise(self.seed, window.first_latent)
        latents = self.enhancer.denoised(fit(clip, plan), self.caption, seed=noise, on_progress=on_progress)
        if shared:
            latents = dissolve_latents(carried["latents"], latents)
        enhanced = restore(self.enhancer.decoded(latents, on_progress), plan, clip)
        if shared:
            before = carried["pictures"].float() / 255
            enhanced = match_part(enhanced, enhanced[:shared], before)
            enhanced[1:shared] = dissolve(before[1:], enhanced[1:shared])
        finished = to_bytes(enhanced)
        left: dict[str, Tensor] = {}
        if keep:
            left["pictures"] = torch.from_numpy(finished[len(finished) - keep :].copy())
            left["latents"] = latents[:, latents.shape[1] - latent_frames(keep) :]
        # Of the frames that the next window shares, all but the first change with it.
        return FinishedWindow(finished[min(shared, 1) : len(finished) - max(keep - 1, 0)], left)


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
