"""An edit of a long clip by a recipe, window by window, from file to file."""

import logging
from contextlib import closing
from dataclasses import asdict
from functools import partial

from torch import Tensor

from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.identity import identity
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.mask_file import WindowMask
from reelpatch.progress import OnProgress
from reelpatch.windows.edit_window import EditWindow
from reelpatch.windows.file_stamp import stamp, stamps
from reelpatch.windows.window_run import LongClip, run_windows

_log = logging.getLogger(__name__)


def edit_long_clip(
    request: EditRequest,
    clip: LongClip,
    editor: Editor,
    references: tuple[Tensor, ...],
    on_progress: OnProgress,
) -> None:
    """Edits a clip in windows and writes the result.

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
    work = EditWindow(render, mask, request.finishing, request.seed, request.size, request.fit)
    run = identity(editor, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "instruction": request.instruction,
        "mask": stamp(request.mask),
        "mask taken as": asdict(request.asked_mask),
        "time range": request.when,
        "references": stamps(request.references),
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
        "finishing": asdict(request.finishing),
    }
    if mask is None:
        run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
        return
    with closing(mask):
        run_windows(clip, request.target, run, work, on_progress, lossless=request.lossless)
