"""An edit from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.frames import FitPlan, plan_fit
from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.masks import build_mask, time_reach
from reelpatch.clips.worked_clip import WorkedPart
from reelpatch.edits.instruction import check_instruction
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.announce import announce_clip, announce_windows, warn_of_much_work
from reelpatch.headless.runs.first_frame import read_first_frame
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.request import EditRequest, size_for
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.settings import chosen_settings
from reelpatch.headless.runs.whole_clip import make_and_write
from reelpatch.media.mask_file import UNEDITED, WindowMask, check_cover, read_mask
from reelpatch.media.mask_track_file import files_of_mask, is_track
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.stills import read_still
from reelpatch.media.video_io import Frames, Video, first_frames, read_video
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.windows.edit_window import EditWindow
from reelpatch.windows.file_stamp import stamp, stamps
from reelpatch.windows.window_run import LongClip, find_windows, run_windows

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Material:
    """The files of a request, read and found to fit together; `lead` frames stand in front of the clip's own."""

    video: Video
    part: WorkedPart
    references: tuple[Tensor, ...]
    plan: FitPlan
    lead: int

    @property
    def is_unedited(self) -> bool:
        """Whether the mask, which then is a track, has nothing to edit anywhere."""
        return self.part.mask is not None and not bool(self.part.mask.any())


@owns_output
def run_edit(request: EditRequest, on_progress: OnProgress = silent) -> RunResult:
    """Edits a clip and writes the result, with the source's size, rate, length and sound.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only
    after everything else was found to be right.
    """
    return edit_owned(request, on_progress)


def edit_owned(
    request: EditRequest, on_progress: OnProgress = silent, models: Editor | None = None
) -> RunResult:
    """As `run_edit`, for who owns the output already; with `models` that are loaded, those of the request."""
    began = time.monotonic()
    check_instruction(request.instruction)
    settings = chosen_settings(request)
    request = replace(request, size=size_for(request.size, request.fit, settings))
    check_output(request.target, request.inputs)
    long_clip = find_windows(
        request.clip,
        request.windows,
        lattice=settings.lattice,
        usual=settings.frames,
        folder_fps=request.fps or Fraction(settings.fps),
    )
    if long_clip is not None:
        return _run_in_windows(
            request, long_clip, models or Editor(settings, **request.for_runner()), on_progress
        )
    material = _read(request, settings)
    editor = models or Editor(settings, **request.for_runner())
    refuse_inputs(request.target, editor.weight_files)
    editor.check_text(request.instruction)
    _announce(request, material, editor)

    def edited() -> Frames:
        if material.is_unedited:
            return to_bytes(material.part.source)[material.lead :]
        made = editor.render(
            material.part.clip,
            request.instruction,
            mask=material.part.mask,
            references=material.references,
            seed=request.seed,
            plan=material.plan,
            on_progress=on_progress,
        )
        return to_bytes(material.part.finished(made))[material.lead :]

    finished = make_and_write(request, editor, material.video, edited)
    return RunResult.of(request, editor, finished.shape, material.video.fps, began)


def _run_in_windows(
    request: EditRequest, clip: LongClip, editor: Editor, on_progress: OnProgress
) -> RunResult:
    began = time.monotonic()
    first = read_first_frame(request.first_frame, clip.header.size, editor.recipe)
    references = (*first.references, *_stills(request))
    refuse_inputs(request.target, editor.weight_files)
    editor.check_text(request.instruction)
    plan = announce_windows(request, clip, editor.recipe.lattice)
    _announce_run(request, editor)
    warn_of_much_work(plan, editor.recipe)
    edit_long_clip(request, clip, editor, references, on_progress, given=first.kept)
    return RunResult.of_windows(request, editor, clip, began)


def _read(request: EditRequest, settings: Recipe) -> _Material:
    folder_fps = request.fps or Fraction(settings.fps)
    video = read_video(request.clip, folder_fps=folder_fps, accept_damage=request.accept_damage)
    if request.frames is not None and request.fit is None:
        settings.lattice.latent_frames(request.frames)  # refuses what is not legal
    moments = Moments(len(video.frames), video.fps, video.times_s)
    video = first_frames(video, request.frames, request.clip)
    mask = _mask(request, video, moments)
    first = read_first_frame(request.first_frame, (video.frames.shape[1], video.frames.shape[2]), settings)
    references = (*first.references, *_stills(request))
    clip, lead = to_floats(video.frames), 0
    if mask is None:
        request.finishing.check_without_mask()
    if first.kept is not None:
        (clip, mask), lead = first.kept.put(clip, mask), first.kept.lead
    if mask is not None and not bool(mask.any()):
        part = WorkedPart(clip, clip, mask, None, request.finishing.how)
    else:
        part = request.finishing.part_of(clip, mask, settings.lattice)
    plan = plan_fit(*part.clip.shape[:3], lattice=settings.lattice, size=request.size, method=request.fit)
    return _Material(video, part, references, plan, lead)


def _stills(request: EditRequest) -> tuple[Tensor, ...]:
    return tuple(to_floats(read_still(path)) for path in request.references)


def _mask(request: EditRequest, video: Video, moments: Moments) -> Tensor | None:
    """Where and when the first frames of a clip of these moments are edited, [F, H, W]; says what was taken for it."""
    if request.mask is None and request.when is None:
        return None
    num_frames, height, width, _ = video.frames.shape
    where = None
    if request.mask is not None:
        where, words = read_mask(
            request.mask,
            request.asked_mask,
            size=(height, width),
            lengths=(moments.num_frames, num_frames),
            fps=moments.fps,
            times_s=moments.times_s,
        )
        cover = Cover.of(where).within(request.when, num_frames)
        _log.info("%s %s", words, cover.describe())
        if is_track(request.mask) and not cover.edited:
            _log.warning("%s", UNEDITED)
        else:
            check_cover(request.mask, cover, request.asked_mask)
        where = where[:num_frames]
    return build_mask(where, request.when, frames=num_frames, height=height, width=width)


def _announce(request: EditRequest, material: _Material, editor: Editor) -> None:
    """What is about to be done, while it can still be stopped."""
    video, plan = material.video, material.plan
    announce_clip(request.clip, video, video.duration_s)
    if material.part.crop is not None:
        _log.info("%s", material.part.crop.describe())
    _log.info("%s", plan.describe())
    if request.when is not None:
        _log.info("%s", time_reach(request.when, plan.frames, plan.lattice).describe())
    _announce_run(request, editor)
    warn_of_much_work(plan, editor.recipe)


def _announce_run(request: EditRequest, editor: Editor) -> None:
    settings = editor.recipe
    _log.info("%s", editor.files.describe())
    if settings.segments is not None and (told := settings.segments.told_of(request.instruction)):
        _log.info("%s", told)
    _log.info(
        "Recipe %s (%s): %d steps, guidance %s, seed %d, %s on %s; the result goes to %s.",
        settings.name,
        settings.licence,
        settings.steps,
        settings.guidance_for(len(request.references)).describe(),
        request.seed,
        str(editor.dtype).removeprefix("torch."),
        editor.device,
        request.target,
    )


def edit_long_clip(
    request: EditRequest,
    clip: LongClip,
    editor: Editor,
    references: tuple[Tensor, ...],
    on_progress: OnProgress,
    *,
    given: GivenFrame | None = None,
) -> None:
    """Edits a clip in windows and writes the result; what is `given` stands in the first of them.

    Raises: `BadInput` as `run_windows`, and for a mask that does not fit the clip.
    """
    mask = None
    if request.mask is not None or request.when is not None:
        mask = WindowMask(request.mask, request.when, clip.header, clip.plan.clip_frames, request.asked_mask)
        if request.mask is not None:
            _log.info("%s", mask.describe())
    else:
        request.finishing.check_without_mask()
    render = partial(editor.render, instruction=request.instruction, references=references)
    work = EditWindow(
        render,
        mask,
        request.finishing,
        request.seed,
        request.size,
        request.fit,
        editor.recipe.lattice,
        given,
    )
    run = identity(editor, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "instruction": request.instruction,
        "mask": stamp(request.mask),
        "mask taken as": asdict(request.asked_mask),
        "masks of the track": stamps(files_of_mask(request.mask)) if request.mask is not None else [],
        "time range": request.when,
        "references": stamps(request.references),
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
        "finishing": asdict(request.finishing),
        # A run of an older version, that knows of none, goes on.
        **({} if request.first_frame is None else {"first frame": stamp(request.first_frame)}),
    }
    if mask is None:
        run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
        return
    with closing(mask):
        run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
