"""Requests whose instruction is rewritten first; what was said and what became of it goes into the result."""

import json
import logging
from dataclasses import replace

from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.rewriting.rewriter import Rewritten, rewrite
from reelpatch.headless.rewriting.seen import Seen
from reelpatch.headless.runs.picture_request import PictureRequest
from reelpatch.headless.runs.request import EditRequest
from reelpatch.recipes import Recipe

_log = logging.getLogger(__name__)


def rewritten_edit(
    request: EditRequest, settings: Recipe, *, num_frames: int
) -> tuple[EditRequest, Rewritten | None]:
    """The request with its instruction rewritten, and how; as it is and None where that was not asked for.

    A language model sees the first `num_frames` of the clip, which are worked on. The result's name stays that of the instruction as it was given. Raises: `BadInput` as `rewrite`.
    """
    seen = Seen(request.clip, accept_damage=request.accept_damage, num_frames=num_frames)
    said = _rewritten(request.instruction, settings, seen, request.rewriting)
    if said is None:
        return request, None
    made = replace(request, instruction=said.text, output=request.target, rewriting=RewriteOptions())
    return made, said


def rewritten_picture(request: PictureRequest, settings: Recipe) -> tuple[PictureRequest, Rewritten | None]:
    """As `rewritten_edit`; of a folder, a language model sees no picture, since the instruction is for all of them."""
    seen = Seen(None if request.image.is_dir() else request.image, is_clip=False)
    said = _rewritten(request.instruction, settings, seen, request.rewriting)
    if said is None:
        return request, None
    return replace(request, instruction=said.text, rewriting=RewriteOptions()), said


def comment_of(said: Rewritten | None) -> str:
    """What a result's file says of a rewritten instruction; empty where none was."""
    return "" if said is None else json.dumps(said.as_dict(), ensure_ascii=False)


def _rewritten(instruction: str, settings: Recipe, seen: Seen, how: RewriteOptions) -> Rewritten | None:
    if not how.is_asked:
        return None
    said = rewrite(instruction, settings, seen, how)
    if not said.problem:
        _log.info("Rewritten by %s: %s", said.by, said.text)
    return said
