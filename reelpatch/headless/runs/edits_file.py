"""The file of several edits of one clip: read and checked before the first of them is made."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from reelpatch.clips.mask_track.text import MOST_BYTES, read_json
from reelpatch.edits.instruction import check_instruction
from reelpatch.errors import BadInput
from reelpatch.headless.runs.request import EditRequest
from reelpatch.headless.runs.settings import check_seed
from reelpatch.media.frame_reader import look_through
from reelpatch.media.mask_file import WindowMask
from reelpatch.media.video_write import check_output

_SETTING = "edits"
_MOST_EDITS = 64
_KNOWN = ("instruction", "mask", "seed")


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
