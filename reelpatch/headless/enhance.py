"""Enhancing from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from reelpatch.clips.frames import FitPlan, Method, plan_fit
from reelpatch.errors import BadInput
from reelpatch.headless.edit import (
    EditResult,
    check_seed,
    first_frames,
    to_bytes,
    to_floats,
    warn_of_much_work,
)
from reelpatch.headless.enhancer import Enhancer, make_run
from reelpatch.headless.lora import ChosenLora
from reelpatch.headless.recipe_runner import OnProgress, silent
from reelpatch.headless.video_io import Video, read_video
from reelpatch.headless.video_write import check_output, write_video
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.strengths import StrengthSchedule

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EnhanceRequest:
    """One clip to be enhanced. What is None is the recipe's, or left to the machine.

    Units: `steps` counts the last steps of the recipe's schedule; others as in `EditRequest`.
    """

    clip: Path
    recipe: str = "demo-enhance"
    caption: str = ""
    size: tuple[int, int] | None = None
    frames: int | None = None
    fit: Method = "pad"
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    models: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    fps: Fraction | None = None
    output: Path | None = None
    loras: tuple[tuple[Path, tuple[float, ...]], ...] = ()
    lora_merge: bool = False

    @property
    def target(self) -> Path:
        """Where the result goes: beside the clip, unless said otherwise."""
        return self.output or self.clip.absolute().with_name(f"{self.clip.stem}_enhanced.mp4")


def run_enhance(request: EnhanceRequest, on_progress: OnProgress = silent) -> EditResult:
    """Enhances a clip and writes the result as mp4, with the source's size, rate, length and sound.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only
    after everything else was found to be right.
    """
    began = time.monotonic()
    settings = enhance_settings(request)
    check_output(request.target, request.clip, "--out")
    video = first_frames(
        read_video(request.clip, folder_fps=request.fps or Fraction(settings.fps)),
        request.frames,
        request.clip,
    )
    plan = plan_fit(*video.frames.shape[:3], size=request.size, method=request.fit)
    enhancer = Enhancer(
        settings,
        request.models,
        device=request.device,
        dtype=request.dtype,
        loras=[ChosenLora(path, StrengthSchedule(strengths)) for path, strengths in request.loras],
        merge_loras=request.lora_merge,
    )
    _announce(request, video, plan, enhancer)
    enhanced = enhancer.enhance(
        to_floats(video.frames), request.caption, seed=request.seed, plan=plan, on_progress=on_progress
    )
    finished = to_bytes(enhanced)
    write_video(replace(video, frames=finished), request.target)
    return EditResult(
        output=request.target,
        frames=len(finished),
        size=(finished.shape[1], finished.shape[2]),
        fps=video.fps,
        recipe=settings.name,
        steps=settings.num_run_steps,
        seed=request.seed,
        device=str(enhancer.device),
        dtype=str(enhancer.dtype).removeprefix("torch."),
        seconds=time.monotonic() - began,
        loras=enhancer.lora_reports,
    )


def enhance_settings(request: EnhanceRequest) -> Recipe:
    """The recipe with what the request says otherwise.

    Raises: `BadInput` for an unknown recipe, one that does not enhance, and numbers that it cannot run with.
    """
    settings = recipe(request.recipe)
    settings.check_enhances()
    check_seed(request.seed)
    steps = settings.num_run_steps if request.steps is None else request.steps
    if steps == settings.steps and settings.expert_boundary is None:
        raise BadInput(
            f"all {steps} steps begin at noise alone, of which nothing of the clip is left: use 1 to {steps - 1} (--steps)."
        )
    make_run(settings, steps)  # refuses what it cannot do
    return replace(
        settings,
        start_step=settings.steps - steps,
        guidance=settings.guidance if request.guidance is None else Guidance(request.guidance),
    )


def _announce(request: EnhanceRequest, video: Video, plan: FitPlan, enhancer: Enhancer) -> None:
    """What is about to be done, while it can still be stopped."""
    settings, sound = enhancer.recipe, "with sound" if video.audio else "without sound"
    _log.info("%s: %.2f s at %.4g fps, %s.", request.clip, float(video.duration_s), float(video.fps), sound)
    _log.info("%s", plan.describe())
    _log.info(
        "Recipe %s (%s): the last %d of %d steps, from %.1f %% noise, guidance %g, seed %d, %s on %s; the result goes to %s.",
        settings.name,
        settings.licence,
        settings.num_run_steps,
        settings.steps,
        100 * float(enhancer.sigmas[0]),
        settings.guidance.scale,
        request.seed,
        str(enhancer.dtype).removeprefix("torch."),
        enhancer.device,
        request.target,
    )
    warn_of_much_work(plan, settings)
