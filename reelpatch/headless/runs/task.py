"""A task from files to a file: everything is read, laid out and said before weights are loaded."""

import logging
import time
from dataclasses import replace
from fractions import Fraction

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.clips.finish import paste_back
from reelpatch.edits.instruction import check_instruction
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.request import TaskRequest
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.task_layout import LaidOut, lay_out, task_folder_fps, task_settings
from reelpatch.headless.runs.whole_clip import make_and_write
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.video_io import Frames, Video
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent

_log = logging.getLogger(__name__)


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

    video = _result(laid_out, task_folder_fps(request, settings))
    made = make_and_write(request, editor, video, made_up)
    return RunResult.of(request, editor, made.shape, video.fps, began)


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
