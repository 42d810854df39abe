"""Enhancing from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.frames import plan_fit
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.runs.announce import announce_clip, announce_windows, warn_of_much_work
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.request import EnhanceRequest, size_for
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.settings import enhance_settings
from reelpatch.headless.runs.whole_clip import make_and_write
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.video_io import Frames, first_frames, read_video
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.noise import FrameNoise
from reelpatch.windows.enhance_window import EnhanceWindow
from reelpatch.windows.file_stamp import stamp
from reelpatch.windows.window_run import LongClip, find_windows, run_windows

_log = logging.getLogger(__name__)


@owns_output
def run_enhance(request: EnhanceRequest, on_progress: OnProgress = silent) -> RunResult:
    """Enhances a clip and writes the result as mp4, with the source's size, rate, length and sound.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only
    after everything else was found to be right.
    """
    began = time.monotonic()
    settings = enhance_settings(request)
    request = replace(request, size=size_for(request.size, request.fit, settings))
    check_output(request.target, request.inputs, "out")
    folder_fps = request.fps or Fraction(settings.fps)
    long_clip = find_windows(
        request.clip,
        request.windows,
        lattice=settings.lattice,
        usual=settings.frames,
        folder_fps=folder_fps,
    )
    if long_clip is not None:
        return _run_in_windows(request, settings, long_clip, on_progress)
    video = read_video(request.clip, folder_fps=folder_fps, accept_damage=request.accept_damage)
    video = first_frames(video, request.frames, request.clip)
    plan = plan_fit(*video.frames.shape[:3], lattice=settings.lattice, size=request.size, method=request.fit)
    enhancer = Enhancer(settings, **request.for_runner())
    refuse_inputs(request.target, enhancer.weight_files, "out")
    enhancer.check_text(request.caption)
    announce_clip(request.clip, video, video.duration_s)
    _log.info("%s", plan.describe())
    _announce_run(request, enhancer)
    warn_of_much_work(plan, settings)

    def enhanced() -> Frames:
        clip = to_floats(video.frames)
        made = enhancer.enhance(clip, request.caption, seed=request.seed, plan=plan, on_progress=on_progress)
        return to_bytes(made)

    finished = make_and_write(request, enhancer, video, enhanced)
    return RunResult.of(request, enhancer, finished.shape, video.fps, began)


def _run_in_windows(
    request: EnhanceRequest, settings: Recipe, clip: LongClip, on_progress: OnProgress
) -> RunResult:
    began = time.monotonic()
    enhancer = Enhancer(settings, **request.for_runner())
    refuse_inputs(request.target, enhancer.weight_files, "out")
    enhancer.check_text(request.caption)
    plan = announce_windows(request, clip, settings.lattice)
    _announce_run(request, enhancer)
    warn_of_much_work(plan, settings)
    enhance_long_clip(request, clip, enhancer, on_progress)
    return RunResult.of_windows(request, enhancer, clip, began)


def _announce_run(request: EnhanceRequest, enhancer: Enhancer) -> None:
    settings = enhancer.recipe
    _log.info("%s", enhancer.files.describe())
    _log.info(
        "Recipe %s (%s): the last %d of %d steps, from %.1f %% noise, guidance %g, seed %d, %s on %s; the result goes to %s.",
        settings.name,
        settings.licence,
        settings.num_run_steps,
        settings.steps,
        100 * float(sigmas_of(enhancer.recipe)[0]),
        settings.guidance.scale,
        request.seed,
        str(enhancer.dtype).removeprefix("torch."),
        enhancer.device,
        request.target,
    )


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
    work = EnhanceWindow(
        Captioned(enhancer, request.caption),
        request.seed,
        request.size,
        request.fit,
        enhancer.recipe.lattice,
    )
    run = identity(enhancer, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "caption": request.caption,
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
    }
    run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
