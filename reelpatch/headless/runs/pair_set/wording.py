"""How the edit of a pair is said, there and back: as the file says it, by a language model, or plainly."""

from __future__ import annotations

from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.rewriting.rewriter import answered_once
from reelpatch.headless.runs.pair_set.lines import PairLine
from reelpatch.recipes.pair_wording import PAIR_AIM, chat_for_pair, plain_instruction


def worded(line: PairLine, how: RewriteOptions) -> dict[str, str]:
    """The fields instruction, reverse and worded_by of a record.

    Raises: `BadInput` where a language model is to be asked and gives no usable answer, unless `how` says to go on.
    """
    words = line.words
    there, by_there = _worded(line.instruction, words.source, words.target, how)
    back, by_back = _worded(line.reverse, words.target, words.source, how)
    return {
        "instruction": there,
        "reverse": back,
        "worded_by": by_there if by_there == by_back else f"{by_there}; {by_back}",
    }


def _worded(given: str, before: str, after: str, how: RewriteOptions) -> tuple[str, str]:
    if given:
        return given, "the file of pairs"
    if how.url is None and how.folder is None:
        return plain_instruction(before, after), "a plain form"
    found = answered_once(chat_for_pair(before, after), PAIR_AIM, how)
    return (plain_instruction(before, after), "a plain form") if found is None else found
