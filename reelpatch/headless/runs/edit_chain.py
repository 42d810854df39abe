"""Several instructions for one clip, each with a mask of its own: one after the other, on the finished result."""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.edit import edit_owned
from reelpatch.headless.runs.edits_file import check_masks, checked_edits
from reelpatch.headless.runs.identity import request_identity
from reelpatch.headless.runs.request import EditRequest
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.settings import chosen_settings
from reelpatch.media.beside import beside
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owned_output
from reelpatch.progress import OnProgress, silent

_log = logging.getLogger(__name__)


def run_edits(
    request: EditRequest, edits: Path, on_progress: OnProgress = silent, models: Editor | None = None
) -> RunResult:
    """Makes the edits that a file names; what else is asked for is the request's, whose instruction is not looked at.

    Each works on the result of the one before, which is kept without loss until all are made: a run that was stopped goes on
    after the last finished one. The result has the clip's size, rate, length and sound.
    Raises: `BadInput` as `run_edit`, before the first edit for all of them, and for a file that names no edits.
    """
    began = time.monotonic()
    chain = checked_edits(edits, request)
    with owned_output(request.target):
        check_masks(chain)
        settings = chosen_settings(request)
        models = Editor(settings, **request.for_runner()) if models is None else models.under(settings)
        refuse_inputs(request.target, models.weight_files)
        for one in chain:
            models.check_text(one.instruction)
        _log.info(
            "The %d edits are made one after the other, each on the finished result of the one before: a model is told one "
            "instruction at a time.",
            len(chain),
        )
        result = _make(chain, models, on_progress)
    return replace(result, seconds=time.monotonic() - began)


def _make(chain: Sequence[EditRequest], models: Editor, on_progress: OnProgress) -> RunResult:
    """All edits in order; what lies between them is kept in a folder beside the output until the last one is written."""
    target = chain[-1].target
    folder = beside(target, f".{target.name}", ".edits")
    folder.mkdir(exist_ok=True)
    try:
        return _in_order(chain, folder, models, on_progress)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"{str(stop) or 'stopped.'} Edits that are finished are kept in {folder}: the same command goes on after them."
        ) from None


def _in_order(
    chain: Sequence[EditRequest], folder: Path, models: Editor, on_progress: OnProgress
) -> RunResult:
    target = chain[-1].target
    clip = chain[0].clip
    suffix = (
        ".mkv" if target.suffix.lower() == ".mkv" else ".mp4"
    )  # either keeps what sound the output can have
    for number, one in enumerate(chain[:-1], 1):
        step = replace(one, clip=clip, output=folder / f"{number}{suffix}", lossless=True)
        clip = step.target
        made_of = {"made of": request_identity(step, models)}
        if _is_made(clip, made_of):
            _log.info("Edit %d of %d is finished already.", number, len(chain))
            continue
        _log.info("Edit %d of %d: '%s'.", number, len(chain), one.instruction)
        edit_owned(step, on_progress, models)
        _note(clip).write_text(json.dumps(made_of), encoding="utf-8")
    _log.info("Edit %d of %d: '%s'.", len(chain), len(chain), chain[-1].instruction)
    result = edit_owned(replace(chain[-1], clip=clip), on_progress, models)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _note(clip: Path) -> Path:
    return clip.with_suffix(".json")


def _is_made(clip: Path, made_of: Any) -> bool:
    """Whether a step was finished by an earlier run, of the same clip, models and request."""
    try:
        note = json.loads(_note(clip).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return clip.exists() and note == json.loads(json.dumps(made_of))
