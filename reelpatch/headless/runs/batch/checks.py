"""What is right and wrong with a job, found before any weights are read, and what it works on.

The checks are those of the verbs themselves. A clip that has neither mask nor time range is not decoded from end to end here,
as its edit does when it begins: its first picture is, and its frames are counted.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from reelpatch.clips.frames import Size
from reelpatch.edits.instruction import check_instruction
from reelpatch.headless.models.chosen_recipe import ChosenRecipe
from reelpatch.headless.runs.announce import window_plan
from reelpatch.headless.runs.batch.job import Job, Sized
from reelpatch.headless.runs.cut_clip import cut_clip
from reelpatch.headless.runs.edit_material import known_plan, opened_mask, read_references
from reelpatch.headless.runs.edits_file import check_masks, checked_edits
from reelpatch.headless.runs.first_frame import read_first_frame
from reelpatch.headless.runs.picture_material import check_outputs, read_material
from reelpatch.headless.runs.picture_request import PictureRequest
from reelpatch.headless.runs.request import EditRequest, EnhanceRequest, TaskRequest, size_for
from reelpatch.headless.runs.task_layout import lay_out
from reelpatch.headless.runs.via import ViaPicture
from reelpatch.media.clip_size import clip_size
from reelpatch.media.frame_reader import ClipHeader, look_through
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.pictures import pictures_at
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import check_output
from reelpatch.recipes import Recipe
from reelpatch.windows.window_run import CutClip

_REMEMBERED = 16  # clips; lines of one clip mostly follow each other
_REMEMBERED_CHECKS = 256  # of numbers alone


def check_job(job: Job, settings: Recipe, models: ChosenRecipe) -> Sized:
    """What a job works on. Raises: `BadInput` as its verb, for all that can be known before it begins."""
    request = job.request
    refuse_inputs(request.target, models.weight_files)
    if isinstance(request, EnhanceRequest):
        return _check_enhance(request, settings, models)
    if isinstance(request, TaskRequest):
        return _check_task(request, settings, models)
    if isinstance(request, PictureRequest):
        return _check_picture(request, settings, models)
    return _check_edits(job, settings, models) if job.edits else _check_edit(request, settings, models)


def _check_edit(request: EditRequest, settings: Recipe, models: ChosenRecipe) -> Sized:
    check_instruction(request.instruction)
    settings.check_caption(request.caption)
    check_output(request.target, request.inputs)
    return _edit_on_clip(request, settings, models)


def _edit_on_clip(request: EditRequest, settings: Recipe, models: ChosenRecipe) -> Sized:
    if not request.rewriting.is_asked:
        models.check_text(request.instruction)
    if request.caption:
        models.check_text(request.caption)
    if request.via is not None:  # whose picture lies beside the output
        return _sized_edit.__wrapped__(_Asked(request, (), settings))
    plain = replace(request, seed=0, output=None, instruction="", caption="")
    return _once(_sized_edit, plain, settings)


@dataclass(frozen=True)
class _Asked:
    """What a check looks at, of which many lines ask the same; the settings follow from the request."""

    request: Any
    ages: tuple[tuple[int, int] | None, ...]
    settings: Recipe = field(compare=False)


def _once(check: Any, request: Any, settings: Recipe) -> Sized:
    """What a check says of a request, remembered as long as its files are as they were. Raises: `BadInput` each time."""
    return check(_Asked(request, tuple(_age(path) for _, path in request.inputs), settings))


@lru_cache(maxsize=_REMEMBERED_CHECKS)
def _sized_edit(asked: _Asked) -> Sized:
    request, settings = asked.request, asked.settings
    if request.frames is not None and not request.window_frames and request.fit is None:
        settings.lattice.latent_frames(request.frames)
    clip = _cut(
        request, settings, is_decoded=any((request.mask, request.when, request.first_frame, request.via))
    )
    request = replace(request, size=size_for(request.size, request.fit, settings, clip.header.size))
    with opened_mask(request, clip) as mask:
        first = read_first_frame(
            request.first_frame, clip.header.size, settings, plan=clip.plan, at=request.at_frame
        )
        if request.via is not None:
            ViaPicture(request, settings, clip, mask)
        stills = read_references(request)
        plan = known_plan(request, clip, settings)
    size = _whole_cells(clip.header.size, settings.lattice.size_multiple) if plan is None else plan.size
    frames = clip.plan.windows[0].frames if plan is None else plan.frames
    shown = request.when or (0, clip.plan.clip_frames - 1)
    return Sized(frames, size, len(stills) + len(first.references), len(clip.plan.windows), shown)


def _whole_cells(size: Size, multiple: int) -> Size:
    """The largest legal size within: no crop is larger."""
    height, width = (max(multiple, side - side % multiple) for side in size)
    return height, width


def _check_edits(job: Job, settings: Recipe, models: ChosenRecipe) -> Sized:
    assert job.edits is not None
    chain = checked_edits(job.edits, job.request)
    check_masks(chain)
    for one in chain:
        models.check_text(one.instruction)
    first = replace(chain[0], mask=None, finishing=type(chain[0].finishing)())
    sized = _edit_on_clip(first, settings, models)
    return replace(sized, windows=sized.windows * len(chain))


def _check_enhance(request: EnhanceRequest, settings: Recipe, models: ChosenRecipe) -> Sized:
    check_output(request.target, request.inputs, "out")
    models.check_text(request.caption)
    clip = _cut(request, settings, is_decoded=False)
    request = replace(request, size=size_for(request.size, request.fit, settings, clip.header.size))
    plan = window_plan(request, clip, settings.lattice)
    return Sized(plan.frames, plan.size, 0, len(clip.plan.windows), (0, clip.plan.clip_frames - 1))


def _check_task(request: TaskRequest, settings: Recipe, models: ChosenRecipe) -> Sized:
    check_instruction(request.prompt)
    models.check_text(request.prompt)
    check_output(request.target, request.inputs)
    # The seed chooses frames where some are kept at random.
    plain = replace(request, output=None, seed=0 if request.keep_random is None else request.seed)
    return _once(_sized_task, plain, settings)


@lru_cache(maxsize=_REMEMBERED_CHECKS)
def _sized_task(asked: _Asked) -> Sized:
    given = lay_out(asked.request).built.input
    frames, height, width = given.mask.shape
    return Sized(frames, (height, width), len(given.references), 1, (0, frames - 1))


def _check_picture(request: PictureRequest, settings: Recipe, models: ChosenRecipe) -> Sized:
    paths = pictures_at(request.image)
    check_outputs(request)
    if request.reasoning_film is not None:
        refuse_inputs(request.reasoning_film, models.weight_files, "reasoning_film")
    if not request.rewriting.is_asked:
        models.check_text(settings.check_pictures().instruction(request.instruction))
    sizes = [read_material(request, path, settings).worked.fit.size for path in paths]
    largest = max(sizes, key=lambda size: size[0] * size[1])
    return Sized(settings.frames, largest, 0, len(paths) * request.seeds)


def _cut(request: EditRequest | EnhanceRequest, settings: Recipe, *, is_decoded: bool) -> CutClip:
    """The clip of a request in its windows; unless it is decoded, all that the header says of it is its length and size."""
    folder_fps = request.fps or Fraction(settings.fps)
    header = _header(
        request.clip, folder_fps, _age(request.clip), request.accept_damage if is_decoded else None
    )
    return cut_clip(request, settings, header)


def _age(clip: Path) -> tuple[int, int] | None:
    try:
        status = clip.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=_REMEMBERED)
def _header(
    clip: Path, folder_fps: Fraction, _age: tuple[int, int] | None, accept_damage: bool | None
) -> ClipHeader:
    """Of a clip of that age; it is decoded where it is said whether damage is accepted."""
    if accept_damage is not None:
        return look_through(clip, folder_fps=folder_fps, accept_damage=accept_damage)
    num_frames, size = clip_size(clip)
    nothing = np.broadcast_to(np.zeros((), np.uint8), (1, *size, 3))
    return ClipHeader(clip, num_frames, size, Video(nothing, folder_fps))
