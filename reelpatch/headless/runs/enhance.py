"""Enhancing from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.runs.announce import announce_windows, warn_of_much_work, window_plan
from reelpatch.headless.runs.cut_clip import cut_clip
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.request import EnhanceRequest, size_for
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.settings import enhance_settings
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.noise import FrameNoise
from reelpatch.windows.ahead import LatentsAhead, remove_ahead
from reelpatch.windows.enhance_window import EnhanceWindow
from reelpatch.windows.file_stamp import stamp
from reelpatch.windows.window_run import CutClip, run_windows, window_alone
from reelpatch.windows.window_store import WindowStore

_log = logging.getLogger(__name__)


@owns_output
def run_enhance(
    request: EnhanceRequest, on_progress: OnProgress = silent, models: Enhancer | None = None
) -> RunResult:
    """Enhances a clip and writes the result as mp4, with the source's size, rate, length and sound.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only
    after everything else was found to be right. `models` that are loaded are those of the request.
    """
    began = time.monotonic()
    settings = enhance_settings(request)
    check_output(request.target, request.inputs, "out")
    clip = cut_clip(request, settings)
    request = replace(request, size=size_for(request.size, request.fit, settings, clip.header.size))
    plan = window_plan(request, clip, settings.lattice)
    enhancer = Enhancer(settings, **request.for_runner()) if models is None else models.under(settings)
    refuse_inputs(request.target, enhancer.weight_files, "out")
    enhancer.check_text(request.caption)
    announce_windows(request, clip, plan)
    _announce_run(request, enhancer)
    warn_of_much_work(plan, settings)
    _enhance(request, clip, enhancer, on_progress)
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

    def denoised(self, frames: Tensor, *, seed: int | FrameNoise, on_progress: OnProgress) -> Tensor:
        return self.enhancer.denoised(frames, self.caption, seed=seed, on_progress=on_progress)

    def decoded(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        return self.enhancer.decoded(latents, on_progress)


def enhance_ahead(
    request: EnhanceRequest, number: int, enhancer: Enhancer, on_progress: OnProgress = silent
) -> None:
    """Makes the latents of one window before its turn, for a run of the same request that is at work elsewhere.

    Does nothing for a window that was made meanwhile; of several devices of one type the latents are the same. Raises: `BadInput` as `run_enhance`.
    """
    enhancer = enhancer.under(enhance_settings(request))
    clip = cut_clip(request, enhancer.recipe)
    request = replace(request, size=size_for(request.size, request.fit, enhancer.recipe, clip.header.size))
    run = _run_of(request, clip, enhancer)
    ahead = _ahead(request, run)
    if not WindowStore(request.target, run).was_finished(number) and ahead.found(number) is None:
        ahead.keep(number, _work(request, enhancer).denoised(window_alone(clip, number), on_progress))


def _enhance(request: EnhanceRequest, clip: CutClip, enhancer: Enhancer, on_progress: OnProgress) -> None:
    run = _run_of(request, clip, enhancer)
    work = replace(_work(request, enhancer), ahead=_ahead(request, run).found)
    run_windows(
        *(clip, request.target, run, work, on_progress),
        lossless=request.lossless,
        on_made=enhancer.hand_over,
    )
    remove_ahead(request.target)


def _work(request: EnhanceRequest, enhancer: Enhancer) -> EnhanceWindow:
    captioned = Captioned(enhancer, request.caption)
    return EnhanceWindow(captioned, request.seed, request.size, request.fit, enhancer.recipe.lattice)


def _ahead(request: EnhanceRequest, run: Mapping[str, Any]) -> LatentsAhead:
    """The same for all devices of one type."""
    return LatentsAhead(request.target, {**run, "device": str(run["device"]).partition(":")[0]})


def _run_of(request: EnhanceRequest, clip: CutClip, enhancer: Enhancer) -> dict[str, Any]:
    return identity(enhancer, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "caption": request.caption,
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
    }
