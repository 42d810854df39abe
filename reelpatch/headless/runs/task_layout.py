"""What a task reads, laid out as the model works on it, before weights are loaded."""

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.edits.vace.control_maps import with_map
from reelpatch.edits.vace.tasks import TASKS, BuiltTask, Sizing, TaskMaterial, build_task, draw_frames
from reelpatch.errors import BadInput
from reelpatch.headless.runs.request import TaskRequest
from reelpatch.headless.runs.settings import chosen_settings
from reelpatch.media.mask_file import check_cover, read_mask
from reelpatch.media.stills import is_still, read_still
from reelpatch.media.video_io import Video, read_video
from reelpatch.recipes import RECIPES, Recipe

_log = logging.getLogger(__name__)
_OF_REFERENCES = "reference"
_MAKE_OF_REFERENCES = tuple(one.name for one in RECIPES.values() if not one.sees_clip)


@dataclass(frozen=True, eq=False)
class LaidOut:
    """A task whose files are read: the input of the model, and the clip it began with, if any."""

    built: BuiltTask
    source: Video | None


def lay_out(request: TaskRequest) -> LaidOut:
    """Reads the files and builds source video, mask and references; no weights are needed.

    Raises: `BadInput` for whatever the user can correct.
    """
    settings = task_settings(request)
    if request.task not in TASKS:
        raise BadInput(f"there is no task '{request.task}': use one of {', '.join(TASKS)}.")
    sizing = Sizing(
        request.frames or settings.frames,
        request.size or (settings.height, settings.width),
        request.sampling,
    )
    source = None
    if request.clip is not None:
        folder_fps = task_folder_fps(request, settings)
        source = read_video(request.clip, folder_fps=folder_fps, accept_damage=request.accept_damage)
    material = TaskMaterial(
        clip=None if source is None else to_floats(source.frames),
        first=_frames(request.first),
        last=_frames(request.last),
        mask=None if request.mask is None else _mask(request.mask, request.asked_mask, source),
        boxes=request.boxes,
        references=tuple(to_floats(read_still(path, setting="reference")) for path in request.references),
        sides=request.sides,
        keep=_kept(request, source, sizing),
        times_s=None if source is None else source.times_s,
    )
    if request.control_map is not None:
        material = with_map(request.task, request.control_map, material)
    return LaidOut(build_task(request.task, material, sizing), source)


def _mask(path: Path, asked: AskedMask, source: Video | None) -> Tensor | None:
    """The mask of a clip; says what was taken for it and how much it covers. Without a clip no task has a use for one."""
    if source is None:
        raise BadInput("a mask was given, but no clip that it belongs to: give the clip.", setting="clip")
    num_frames, height, width, _ = source.frames.shape
    mask, words = read_mask(
        path,
        asked,
        size=(height, width),
        lengths=(num_frames,),
        fps=source.fps,
        times_s=source.times_s,
    )
    cover = Cover.of(mask)
    check_cover(path, cover, asked)
    _log.info("%s %s", words, cover.describe())
    return mask


def task_settings(request: TaskRequest) -> Recipe:
    """As `chosen_settings`. Raises: `BadInput` for a recipe whose models do not know the task."""
    settings = chosen_settings(request)
    settings.check_edits()
    if not settings.sees_clip:
        if request.task in TASKS and request.task != _OF_REFERENCES:
            raise BadInput(
                f"the recipe '{settings.name}' makes a clip of references alone and does not know the task '{request.task}': use the "
                f"task '{_OF_REFERENCES}', or choose a recipe of VACE's, such as vdot.",
                setting="recipe",
            )
        assert settings.segments is not None
        settings.segments.check_references(len(request.references) or settings.least_references)
    elif settings.kind != "vace":
        does = (
            "compares two captions of a clip"
            if settings.sharing is not None
            else "edits a clip by an instruction"
        )
        others = ("vdot", *(_MAKE_OF_REFERENCES if request.task == _OF_REFERENCES else ()))
        raise BadInput(
            f"the recipe '{settings.name}' {does} and lays out no task: run `reelpatch edit`, or choose a recipe that does, such as "
            f"{' or '.join(others)}.",
            setting="recipe",
        )
    return settings


def task_folder_fps(request: TaskRequest, settings: Recipe) -> Fraction:
    """How many frames of a folder of images make a second."""
    return request.fps or Fraction(settings.fps)


def _frames(path: Path | None) -> Tensor | None:
    """An image as one frame, or a clip; transparent parts of an image become white."""
    if path is None:
        return None
    if not is_still(path) or path.is_dir():
        return to_floats(read_video(path, folder_fps=Fraction(1)).frames)
    image = to_floats(read_still(path))
    if image.shape[-1] == 4:
        image = torch.lerp(torch.ones_like(image[..., :3]), image[..., :3], image[..., 3:])
    return image[None]


def _kept(request: TaskRequest, source: Video | None, sizing: Sizing) -> tuple[int, ...]:
    """The frames named, and as many more drawn by the seed as were asked for, among those worked on from the start."""
    if request.keep_random is None or source is None:
        return request.keep
    drawn = draw_frames(request.keep_random, len(source.frames), sizing, seed=request.seed)
    return tuple(sorted({*request.keep, *drawn}))
