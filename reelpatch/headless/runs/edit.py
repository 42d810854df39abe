"""An edit from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from torch import Tensor

from reelpatch.clips.crop import CropPlan
from reelpatch.clips.frames import FitPlan
from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.masks import time_reach
from reelpatch.edits.instruction import check_instruction
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.embedded_texts import free_memory
from reelpatch.headless.runs.announce import announce_windows, warn_of_much_work
from reelpatch.headless.runs.cut_clip import cut_clip
from reelpatch.headless.runs.edit_material import known_plan, opened_mask, read_references
from reelpatch.headless.runs.first_frame import read_first_frame
from reelpatch.headless.runs.grounding_film import GroundingFilm
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.picture import run_picture
from reelpatch.headless.runs.picture_request import PictureRequest
from reelpatch.headless.runs.request import EditRequest, size_for
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.rewriting import comment_of, rewritten_edit
from reelpatch.headless.runs.settings import edit_settings
from reelpatch.headless.runs.via import ViaPicture
from reelpatch.media.mask_file import WindowMask
from reelpatch.media.mask_track_file import files_of_mask
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.windows.edit_window import EditWindow
from reelpatch.windows.file_stamp import stamp, stamps
from reelpatch.windows.window_run import CutClip, run_windows

_log = logging.getLogger(__name__)


@owns_output
def run_edit(
    request: EditRequest, on_progress: OnProgress = silent, models: Editor | None = None
) -> RunResult:
    """Edits a clip and writes the result, with the source's size, rate, length and sound.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only
    after everything else was found to be right.
    """
    return edit_owned(request, on_progress, models)


def edit_owned(
    request: EditRequest, on_progress: OnProgress = silent, models: Editor | None = None
) -> RunResult:
    """As `run_edit`, for who owns the output already; with `models` that are loaded, those of the request."""
    began = time.monotonic()
    check_instruction(request.instruction)
    settings = edit_settings(request)
    settings.check_caption(request.caption)
    check_output(request.target, request.inputs)
    film = GroundingFilm.of(request, settings)
    if request.frames is not None and not request.window_frames and request.fit is None:
        settings.lattice.latent_frames(request.frames)  # refuses what is not legal
    clip = cut_clip(request, settings)
    request = replace(request, size=size_for(request.size, request.fit, settings, clip.header.size))
    with opened_mask(request, clip) as mask:
        first = read_first_frame(
            request.first_frame, clip.header.size, settings, plan=clip.plan, at=request.at_frame
        )
        via = None if request.via is None else ViaPicture(request, settings, clip, mask)
        stills = read_references(request)
        plan = known_plan(request, clip, settings)
        editor = Editor(settings, **request.for_runner()) if models is None else models.under(settings)
        refuse_inputs(request.target, editor.weight_files)
        if film is not None:
            refuse_inputs(film.path, editor.weight_files, "grounding_film")
        request, said = rewritten_edit(request, settings, num_frames=clip.plan.clip_frames)
        editor.check_text(request.instruction)
        if request.caption:
            editor.check_text(request.caption)
        _announce(request, clip, plan, editor)
        clip = replace(clip, comment=comment_of(said))
        if via is not None:
            first = via.made(partial(_edit_picture, on_progress=on_progress))
            request = replace(request, first_frame=via.target)
        references = (*first.references, *stills)
        edit_clip(request, clip, editor, references, on_progress, mask=mask, given=first.kept, film=film)
    return replace(
        RunResult.of_windows(request, editor, clip, began),
        rewriting=said,
        picture=None if via is None else via.target,
        grounding_film=None if film is None else film.written(),
    )


def _edit_picture(asked: PictureRequest, on_progress: OnProgress) -> None:
    run_picture(asked, on_progress)
    free_memory()  # of the picture's models: the edit needs the room


def _announce(request: EditRequest, clip: CutClip, plan: FitPlan | None, editor: Editor) -> None:
    """What is about to be done, while it can still be stopped; a crop is told of when its boxes are known."""
    announce_windows(request, clip, plan)
    if request.when is not None:
        lattice = editor.recipe.lattice
        reach = time_reach(request.when, lattice.frames_at_least(clip.plan.clip_frames), lattice)
        _log.info("%s", reach.describe())
    _announce_run(request, editor)
    if plan is not None:
        warn_of_much_work(plan, editor.recipe)


def _announce_crop(settings: Recipe, crop: CropPlan, plan: FitPlan) -> None:
    _log.info("%s", crop.describe())
    _log.info("%s", plan.describe())
    warn_of_much_work(plan, settings)


def _announce_run(request: EditRequest, editor: Editor) -> None:
    settings = editor.recipe
    _log.info("%s", editor.files.describe())
    if settings.half_size_steps:
        _log.info(
            "Steps at half the size: the first %d of %d; less arithmetic, and another result.",
            settings.half_size_steps,
            settings.num_run_steps,
        )
    if settings.segments is not None and (told := settings.segments.told_of(request.instruction)):
        _log.info("%s", told)
    if settings.sharing is not None:
        _log.info("Attention is shared for a change of the kind %s.", settings.sharing.describe())
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


def edit_clip(  # noqa: PLR0913 -- all that a run has found out
    request: EditRequest,
    clip: CutClip,
    editor: Editor,
    references: tuple[Tensor, ...],
    on_progress: OnProgress,
    *,
    mask: WindowMask | None,
    given: GivenFrame | None = None,
    film: GroundingFilm | None = None,
) -> None:
    """Edits a clip in its windows and writes the result; what is `given` stands in the first of them, whose `film` is written too.

    Raises: `BadInput` as `run_windows`.
    """
    render = partial(
        editor.render, instruction=request.instruction, references=references, caption=request.caption
    )
    is_other = film is not None or (given is not None and given.is_beside)
    work = EditWindow(
        render,
        mask,
        request.finishing,
        request.seed,
        request.size,
        request.fit,
        editor.recipe.lattice,
        given,
        partial(_announce_crop, editor.recipe),
        partial(render, on_grounding=None if film is None else film.write) if is_other else None,
        editor.recipe.times_in_result,
    )
    told_in_result = work.times_in_result and mask is not None
    asked = clip, request.target, _run_of(request, clip, editor, told_in_result), work, on_progress
    run_windows(*asked, lossless=request.lossless, on_made=editor.hand_over)


def _run_of(request: EditRequest, clip: CutClip, editor: Editor, is_in_result: bool) -> dict[str, Any]:
    """What decides the result; `is_in_result` where the times of the mask act there alone."""
    return identity(editor, clip.plan) | {
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
        **({"at frame": request.at_frame} if request.at_frame else {}),
        **({"caption": request.caption} if request.caption else {}),
        **({"times of the mask": "in the result"} if is_in_result else {}),
    }
