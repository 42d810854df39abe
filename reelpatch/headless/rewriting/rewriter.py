"""Rewrites an instruction before an edit, as the recipe's models like to be spoken to; the same request is answered once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reelpatch.edits.instruction import check_instruction
from reelpatch.errors import BadInput
from reelpatch.headless.models.text_cache import cache_folder
from reelpatch.headless.rewriting import server
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.rewriting.seen import Seen
from reelpatch.media.saving import saved_at
from reelpatch.recipes import Recipe
from reelpatch.recipes.rewriting import Aim, Chat, aim_of, chat_for, plainly
from reelpatch.recipes.rewritten import rewritten

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rewritten:
    """What an instruction became: `text`, made `by` whom; `problem` says why it was kept, empty where it was not."""

    instruction: str
    text: str
    by: str
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """In plain types."""
        return {
            "instruction": self.instruction,
            "rewritten": self.text,
            "by": self.by,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class _Model:
    """A language model: what asks it, and whether it is shown pictures; a server's always is."""

    name: str
    ask: Callable[[Chat, Sequence[bytes]], str]
    sees: bool


def rewrite(instruction: str, recipe: Recipe, seen: Seen, how: RewriteOptions) -> Rewritten:
    """The instruction as the recipe's models like it, of a clip or a picture that a language model may look at.

    Raises: `BadInput` for an empty instruction, a recipe whose text is not free, options that do not go together, and,
        unless the instruction may be kept, for a language model that cannot be asked or gives no usable answer.
    """
    how.check()
    check_instruction(instruction)
    aim = aim_of(recipe)
    if how.plainly:
        return Rewritten(instruction, plainly(aim, instruction), "a plain form")
    try:
        return _asked(instruction, aim, seen, how)
    except BadInput as error:
        if not how.or_keep:
            raise
        _log.warning("The instruction is used as it is: %s", error)
        return Rewritten(instruction, instruction, "nobody", str(error))


def answered_once(chat: Chat, aim: Aim, how: RewriteOptions) -> tuple[str, str] | None:
    """What a language model answers to something else, and its name; None where it fails and that is to be passed over.

    Raises: `BadInput` as `rewrite`.
    """
    try:
        model = _model(how)
        return _answered(model, chat, (), aim), model.name
    except BadInput as error:
        if not how.or_keep:
            raise
        _log.warning("A plain form is used instead: %s", error)
        return None


def _asked(instruction: str, aim: Aim, seen: Seen, how: RewriteOptions) -> Rewritten:
    model = _model(how)
    pictures = seen.pictures() if model.sees else []
    chat = chat_for(aim, instruction, num_pictures=len(pictures), is_clip=seen.is_clip)
    return Rewritten(instruction, _answered(model, chat, pictures, aim), model.name)


def _answered(model: _Model, chat: Chat, pictures: Sequence[bytes], aim: Aim) -> str:
    kept = _kept_at(model.name, chat, pictures)
    text = _read(kept)
    if text is None:
        text = rewritten(model.ask(chat, pictures), aim)
        _keep(kept, text)
    return text


def _model(how: RewriteOptions) -> _Model:
    if how.url is None:
        from reelpatch.headless.rewriting import local

        assert how.folder is not None
        return _Model(str(how.folder.absolute()), partial(local.answered, how.folder), local.sees(how.folder))
    url = server.check_url(how.url)
    model = how.model or server.first_model(url, timeout_s=how.timeout_s)
    return _Model(f"{model} at {url}", partial(server.ask, url, model, timeout_s=how.timeout_s), sees=True)


def _kept_at(by: str, chat: Chat, pictures: Sequence[bytes]) -> Path:
    """The file of an answer: the same language model is asked the same only once."""
    seen = [hashlib.sha256(one).hexdigest() for one in pictures]
    identity = json.dumps([by, chat.system, chat.user, seen])
    folder = cache_folder().with_name("rewritten")
    return folder / f"{hashlib.sha256(identity.encode()).hexdigest()}.json"


def _read(path: Path) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        text = json.loads(path.read_text(encoding="utf-8"))["text"]
        return text if isinstance(text, str) and text else None
    return None


def _keep(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with saved_at(path) as part:
            part.write_text(json.dumps({"text": text}), encoding="utf-8")
    except (OSError, BadInput) as error:
        _log.info("The rewritten instruction was not kept (%s).", error)
