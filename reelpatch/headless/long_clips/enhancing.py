"""A long clip enhanced by a recipe, window by window, from file to file."""

from dataclasses import dataclass

from torch import Tensor

from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.request import EnhanceRequest
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise
from reelpatch.windows.enhance_window import EnhanceWindow
from reelpatch.windows.file_stamp import stamp
from reelpatch.windows.window_run import LongClip, run_windows


@dataclass(frozen=True)
class Captioned:
    """An enhancer and what the clip shows. As `LatentEnhancer`."""

    enhancer: Enhancer
    caption: str

    def denoised(self, frames: Tensor, *, seed: FrameNoise, on_progress: OnProgress) -> Tensor:
        return self.enhancer.denoised(frames, self.caption, seed=seed, on_progress=on_progress)

    def decoded(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        return self.enhancer.decoded(latents, on_progress)


def enhance_long_clip(
    request: EnhanceRequest, clip: LongClip, enhancer: Enhancer, on_progress: OnProgress
) -> None:
    """Enhances a clip in windows and writes the result. Raises: `BadInput` as `run_windows`."""
    work = EnhanceWindow(Captioned(enhancer, request.caption), request.seed, request.size, request.fit)
    run = identity(enhancer, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "caption": request.caption,
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
    }
    run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
