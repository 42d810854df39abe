"""An edit from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.finishing import Finishing, WorkedPart
from reelpatch.clips.frames import FitPlan, Method, Size, plan_fit
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.clips.masks import build_mask, time_reach
from reelpatch.errors import BadInput
from reelpatch.families.lattice import latent_frames
from reelpatch.headless.editor import Editor, check_instruction
from reelpatch.headless.runs.request import ClipRequest, RunResult, size_for
from reelpatch.headless.runs.whole_clip import make_and_write
from reelpatch.media.mask_file import read_mask
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.stills import read_still
from reelpatch.media.video_io import Frames, Video, read_video
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.guidance import Guidance, Window
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.windows.window_run import LongClip, find_windows

_MAX_SEED = 2**63 - 1
_MUCH_LARGER = 2
_log = logging.getLogger(__name__)


class RunOptions(Protocol):
    """What a request may say otherwise than its recipe."""

    @property
    def recipe(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int | None: ...
    @property
    def guidance(self) -> float | None: ...
    @property
    def strength(self) -> float | None: ...
    @property
    def window(self) -> tuple[float, float] | None: ...
    @property
    def skip_hints(self) -> bool: ...


@dataclass(frozen=True)
class EditRequest(ClipRequest):
    """One edit of one clip; the result has the clip's size and length.

    Units: `when` = (first, last) frame, counted from 0; others as in `RunRequest`.
    """

    clip: Path
    instruction: str
    mask: Path | None = None
    asked_mask: AskedMask = AskedMask()
    when: tuple[int, int] | None = None
    references: tuple[Path, ...] = ()
    fit: Method | None = None
    strength: float | None = None
    window: tuple[float, float] | None = None
    skip_hints: bool = False
    finishing: Finishing = Finishing()

    @property
    def target(self) -> Path:
        """Where the result goes: beside the clip, unless said otherwise."""
        return self.output or self.clip.absolute().with_name(f"{self.clip.stem}_edited.mp4")


@dataclass(frozen=True)
class _Material:
    """The files of a request, read and found to fit together."""

    video: Video
    part: WorkedPart
    references: tuple[Tensor, ...]
    plan: FitPlan


@owns_output
def run_edit(request: EditRequest, on_progress: OnProgress = silent) -> RunResult:
    """Edits a clip and writes the result, with the source's size, rate, length and sound.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only
    after everything else was found to be right.
    """
    began = time.monotonic()
    check_instruction(request.instruction)
    settings = chosen_settings(request)
    request = replace(request, size=size_for(request.size, request.fit, settings))
    check_output(request.target, request.inputs)
    long_clip = find_windows(
        request.clip,
        request.windows,
        usual=settings.frames,
        folder_fps=request.fps or Fraction(settings.fps),
    )
    if long_clip is not None:
        return _run_in_windows(request, settings, long_clip, on_progress)
    material = _read(request, settings)
    editor = Editor(settings, **request.for_runner())
    refuse_inputs(request.target, editor.weight_files)
    _announce(request, material, editor)

    def edited() -> Frames:
        made = editor.render(
            material.part.clip,
            request.instruction,
            mask=material.part.mask,
            references=material.references,
            seed=request.seed,
            plan=material.plan,
            on_progress=on_progress,
        )
        return to_bytes(material.part.finished(made))

    finished = make_and_write(request, editor, material.video, edited)
    return RunResult.of(request, editor, finished.shape, material.video.fps, began)


def _run_in_windows(
    request: EditRequest, settings: Recipe, clip: LongClip, on_progress: OnProgress
) -> RunResult:
    from reelpatch.headless.long_clips.editing import edit_long_clip  # which is made of what stands here

    began = time.monotonic()
    references = tuple(to_floats(read_still(path)) for path in request.references)
    editor = Editor(settings, **request.for_runner())
    refuse_inputs(request.target, editor.weight_files)
    plan = announce_windows(request, clip)
    _announce_run(request, editor)
    warn_of_much_work(plan, settings)
    edit_long_clip(request, clip, editor, references, on_progress)
    return RunResult.of_windows(request, editor, clip, began)


def chosen_settings(request: RunOptions) -> Recipe:
    """The recipe with what the request says otherwise.

    Raises: `BadInput` for an unknown recipe and for numbers that it cannot run with.
    """
    settings = recipe(request.recipe)
    check_seed(request.seed)
    strength = settings.strength if request.strength is None else request.strength
    if not 0 <= strength < float("inf"):
        raise BadInput(
            f"the strength is {strength:g}: use 0 (no edit) to 1 (all of it), or a little more (--strength)."
        )
    if request.skip_hints and settings.skip_layers is None:
        raise BadInput(
            f"the recipe '{settings.name}' skips no block, so there is no hint to be skipped with it: leave the option out.",
            option="--skip-hints",
        )
    settings = replace(
        settings,
        strength=strength,
        skip_hints=request.skip_hints,
        steps=settings.steps if request.steps is None else request.steps,
        guidance=settings.guidance if request.guidance is None else Guidance(request.guidance),
        window=settings.window if request.window is None else Window(*request.window),
    )
    make_sigmas(settings.schedule, settings.steps, shift=settings.shift)  # refuses what it cannot do
    return settings


def check_seed(seed: int) -> None:
    """Raises: `BadInput` for a seed that is no number of 63 bits."""
    if not 0 <= seed <= _MAX_SEED:
        raise BadInput(f"the seed is {seed}: use a whole number from 0 to {_MAX_SEED} (--seed).")


def _read(request: EditRequest, settings: Recipe) -> _Material:
    folder_fps = request.fps or Fraction(settings.fps)
    video = read_video(request.clip, folder_fps=folder_fps, accept_damage=request.accept_damage)
    if request.frames is not None and request.fit is None:
        latent_frames(request.frames)  # refuses what is not legal
    clip_frames = len(video.frames)
    video = first_frames(video, request.frames, request.clip)
    mask = _mask(request, video, clip_frames)
    references = tuple(to_floats(read_still(path)) for path in request.references)
    part = request.finishing.part_of(to_floats(video.frames), mask)
    plan = plan_fit(*part.clip.shape[:3], size=request.size, method=request.fit)
    return _Material(video, part, references, plan)


def _mask(request: EditRequest, video: Video, clip_frames: int) -> Tensor | None:
    """Where and when the first frames of a clip of `clip_frames` are edited, [F, H, W]; says what was taken for it."""
    if request.mask is None and request.when is None:
        return None
    num_frames, height, width, _ = video.frames.shape
    where = None
    if request.mask is not None:
        lengths = (clip_frames, num_frames)
        where, words = read_mask(
            request.mask, request.asked_mask, size=(height, width), lengths=lengths, fps=video.fps
        )
        cover = Cover.of(where).within(request.when, num_frames)
        cover.check(request.asked_mask)
        _log.info("%s %s", words, cover.describe())
        where = where[:num_frames]
    return build_mask(where, request.when, frames=num_frames, height=height, width=width)


def first_frames(video: Video, frames: int | None, clip: Path) -> Video:
    """The first frames of a clip, and its sound as far as they go, where only a part was asked for.

    Raises: `BadInput` for more frames than there are.
    """
    if frames is None:
        return video
    num_frames = len(video.frames)
    if not 1 <= frames <= num_frames:
        raise BadInput(
            f"{frames} frames were asked for, but {clip} has {num_frames}: use 1 to {num_frames} (--frames)."
        )
    short = replace(video, frames=video.frames[:frames], times_s=video.times_s and video.times_s[:frames])
    return replace(short, sound_end_s=short.duration_s) if frames < num_frames else video


def _announce(request: EditRequest, material: _Material, editor: Editor) -> None:
    """What is about to be done, while it can still be stopped."""
    video, plan = material.video, material.plan
    announce_clip(request.clip, video, video.duration_s)
    if material.part.crop is not None:
        _log.info("%s", material.part.crop.describe())
    _log.info("%s", plan.describe())
    if request.when is not None:
        _log.info("%s", time_reach(request.when, plan.frames).describe())
    _announce_run(request, editor)
    warn_of_much_work(plan, editor.recipe)


def announce_clip(path: Path, video: Video, duration_s: Fraction) -> None:
    """Says what was read."""
    sound = "with sound" if video.audio else "without sound"
    _log.info("%s: %.2f s at %.4g fps, %s.", path, float(duration_s), float(video.fps), sound)
    if video.times_s is not None:
        _log.info("Its frames are not shown at a fixed rate: each keeps its own time in the result.")


class LongRequest(Protocol):
    """What of a request decides how the windows of its clip are worked on."""

    @property
    def clip(self) -> Path: ...
    @property
    def size(self) -> Size | None: ...
    @property
    def fit(self) -> Method | None: ...


def announce_windows(request: LongRequest, clip: LongClip) -> FitPlan:
    """Says what was read and how it is cut up; returns how a window is brought to size."""
    plan = plan_fit(clip.plan.clip_frames, *clip.header.size, size=request.size, method=request.fit)
    announce_clip(request.clip, clip.header.video, clip.duration_s)
    _log.info("%s", plan.describe())
    _log.info("%s", clip.plan.describe())
    return replace(plan, frames=clip.plan.windows[0].frames)


def _announce_run(request: EditRequest, editor: Editor) -> None:
    settings = editor.recipe
    _log.info("%s", editor.files.describe())
    _log.info(
        "Recipe %s (%s): %d steps, guidance %g, seed %d, %s on %s; the result goes to %s.",
        settings.name,
        settings.licence,
        settings.steps,
        settings.guidance.scale,
        request.seed,
        str(editor.dtype).removeprefix("torch."),
        editor.device,
        request.target,
    )


def warn_of_much_work(plan: FitPlan, settings: Recipe) -> None:
    """Says it where a clip is much larger than what the recipe was made for."""
    height, width = plan.size
    factor = height * width * plan.frames / (settings.height * settings.width * settings.frames)
    if factor > _MUCH_LARGER:
        _log.warning(
            "This is %.1f times the %dx%d and %d frames that the recipe was made for, and takes more than %.1f times "
            "as long: --size WxH and --frames N make it smaller.",
            factor,
            settings.width,
            settings.height,
            settings.frames,
            factor,
        )
