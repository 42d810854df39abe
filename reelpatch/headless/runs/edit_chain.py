"""Several instructions for one clip, each with a mask of its own: one after the other, on the finished result."""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from reelpatch.clips.mask_track.text import MOST_BYTES, read_json
from reelpatch.edits.instruction import check_instruction
from reelpatch.errors import BadInput
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.edit import edit_owned
from reelpatch.headless.runs.identity import request_identity
from reelpatch.headless.runs.request import EditRequest
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.settings import check_seed, chosen_settings
from reelpatch.media.beside import beside
from reelpatch.media.frame_reader import look_through
from reelpatch.media.mask_file import WindowMask
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owned_output
from reelpatch.media.video_write import check_output
from reelpatch.progress import OnProgress, silent

_SETTING = "edits"
_MOST_EDITS = 64
_KNOWN = ("instruction", "mask", "seed")
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


def checked_edits(path: Path, request: EditRequest) -> list[EditRequest]:
    """The requests of a file of edits, whose result may be written. Raises: `BadInput` as `read_edits`, and for wrong ones."""
    chain = read_edits(path, request)
    for one in chain:
        check_instruction(one.instruction)
        check_seed(one.seed)
        if one.mask is None:
            one.finishing.check_without_mask()
    inputs = [("file of edits", path), *(named for one in chain for named in one.inputs)]
    check_output(request.target, inputs)
    return chain


def read_edits(path: Path, request: EditRequest) -> list[EditRequest]:
    """The requests of a file of edits: each has its instruction, its mask beside the file, and its seed if it names one.

    Raises: `BadInput` for what cannot be read, or is no list of edits.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(
            f"the file of edits {path} cannot be read ({error.strerror}): check the path.", setting=_SETTING
        ) from error
    items: Any = read_json(text, "file of edits", _SETTING)
    if not isinstance(items, list) or not 1 <= len(cast(Sequence[Any], items)) <= _MOST_EDITS:
        raise BadInput(
            f"the file of edits {path} is no list of 1 to {_MOST_EDITS} edits: see docs/mask_track.md.",
            setting=_SETTING,
        )
    return [_request(path, index, item, request) for index, item in enumerate(cast(Sequence[Any], items))]


def _request(path: Path, index: int, item: Any, request: EditRequest) -> EditRequest:
    kinds: dict[str, type] = {"instruction": str, "mask": str, "seed": int}
    if not isinstance(item, dict) or "instruction" not in item:
        raise BadInput(
            f"edit [{index}] of {path} has no instruction: an edit is an object with instruction, and mask and seed if wanted.",
            setting=_SETTING,
        )
    values = cast(dict[str, Any], item)
    for name, value in values.items():
        if name not in kinds:
            raise BadInput(
                f"edit [{index}] of {path} has an unknown field {name[:40]!r}: its fields are {', '.join(_KNOWN)}.",
                setting=_SETTING,
            )
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            kind = "a whole number" if name == "seed" else "a text"
            raise BadInput(
                f"the {name} of edit [{index}] of {path} is not {kind}: correct it.", setting=_SETTING
            )
    mask = path.parent / values["mask"] if "mask" in values else None
    return replace(
        request, instruction=values["instruction"], mask=mask, seed=values.get("seed", request.seed)
    )


def check_masks(chain: Sequence[EditRequest]) -> None:
    """Every mask has to fit the clip before the first edit is made. Raises: `BadInput` as `WindowMask`."""
    first = chain[0]
    if all(one.mask is None for one in chain):
        return
    header = look_through(first.clip, folder_fps=first.fps or Fraction(1), accept_damage=first.accept_damage)
    num_frames = min(first.frames or header.num_frames, header.num_frames)
    for one in chain:
        with closing(WindowMask(one.mask, None, header, num_frames, one.asked_mask)):
            pass


def _make(chain: Sequence[EditRequest], models: Editor, on_progress: OnProgress) -> RunResult:
    """All edits in order; what lies between them is kept in a folder beside the output until the last one is written."""
    target = chain[-1].target
    folder = beside(target, f".{target.name}", ".edits")
    folder.mkdir(exist_ok=True)
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
