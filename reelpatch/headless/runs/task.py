"""A task from files to a file: everything is read, laid out and said before weights are loaded."""

import logging
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.finish import paste_back
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.edits.instruction import check_instruction
from reelpatch.edits.vace.control_maps import with_map
from reelpatch.edits.vace.tasks import TASKS, BuiltTask, Sizing, TaskMaterial, build_task, draw_frames
from reelpatch.errors import BadInput
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.request import TaskRequest
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.settings import chosen_settings
from reelpatch.headless.runs.whole_clip import make_and_write
from reelpatch.media.mask_file import check_cover, read_mask
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.stills import is_still, read_still
from reelpatch.media.video_io import Frames, Video, read_video
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe

_log = logging.getLogger(__name__)


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
        folder_fps = _folder_fps(request, settings)
        source = read_video(request.clip, folder_fps=folder_fps, accept_damage=request.accept_damage)
    material = TaskMaterial(
        clip=None if source is None else to_floats(source.frames),
        first=_frames(request.first),
        last=_frames(request.last),
        mask=None if request.mask is None else _mask(request.mask, request.asked_mask, source),
        boxes=request.boxes,
        references=tuple(to_floats(read_still(path)) for path in request.references),
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


@owns_output
def run_task(
    request: TaskRequest, on_progress: OnProgress = silent, models: Editor | None = None
) -> RunResult:
    """Makes what the task asks for and writes it as mp4, at the size and length that were worked on.

    Frames and pixels that are kept stand in the result as they were laid out.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only after
    everything else was found to be right. `models` that are loaded are those of the request.
    """
    began = time.monotonic()
    check_instruction(request.prompt)
    settings = task_settings(request)
    check_output(request.target, request.inputs)
    laid_out = lay_out(request)
    built = laid_out.built
    editor = Editor(settings, **request.for_runner()) if models is None else models.under(settings)
    refuse_inputs(request.target, editor.weight_files)
    editor.check_text(request.prompt)
    _log.info("%s", built.describe())
    _log.info("%s", editor.files.describe())
    _log.info(
        "Recipe %s (%s): %d steps, seed %d, %d references, %s on %s; the result goes to %s.",
        settings.name,
        settings.licence,
        settings.steps,
        request.seed,
        len(built.input.references),
        str(editor.dtype).removeprefix("torch."),
        editor.device,
        request.target,
    )

    def made_up() -> Frames:
        made = editor.render(
            built.input.clip,
            request.prompt,
            mask=built.input.mask,
            references=built.input.references,
            seed=request.seed,
            on_progress=on_progress,
        )
        return to_bytes(paste_back(made, built.input.clip, built.input.hard_mask))

    video = _result(laid_out, _folder_fps(request, settings))
    made = make_and_write(request, editor, video, made_up)
    return RunResult.of(request, editor, made.shape, video.fps, began)


def task_settings(request: TaskRequest) -> Recipe:
    """As `chosen_settings`. Raises: `BadInput` for a recipe that compares captions."""
    settings = chosen_settings(request)
    if settings.sharing is not None:
        raise BadInput(
            f"the recipe '{settings.name}' compares two captions of a clip and lays out no task: run `reelpatch edit`, or choose a "
            "recipe of VACE's, such as vdot.",
            setting="recipe",
        )
    return settings


def _folder_fps(request: TaskRequest, settings: Recipe) -> Fraction:
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


def _result(laid_out: LaidOut, fps: Fraction) -> Video:
    """What is to be made, still as it was laid out, with its rate; the clip's sound and times, unless frames were skipped."""
    source, built = laid_out.source, laid_out.built
    frames = to_bytes(built.input.clip)
    if source is None:
        return Video(frames, fps)
    if built.speed != 1:
        return Video(frames, source.fps / built.speed, pixel_aspect=source.pixel_aspect)
    same = source.cut(len(frames)) if len(frames) < len(source.frames) else source
    return replace(same, frames=frames)
