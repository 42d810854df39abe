"""The instruction of a pair, from its two captions."""

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.hosts.pair_maker import PairWords
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.runs.pair_set.lines import PairLine
from reelpatch.headless.runs.pair_set.wording import worded
from tests.unit.headless.rewriting.conftest import Server

WORDS = PairWords("a red ball", "a blue ball", "colour")


def test_a_language_model_words_the_way_there_and_back(server: Server) -> None:
    server.answer = "Make the ball blue."
    how = RewriteOptions(url=server.url)
    assert worded(PairLine(WORDS), how) == {
        "instruction": "Make the ball blue.",
        "reverse": "Make the ball blue.",
        "worded_by": f"tiny at {server.url}",
    }
    said = [str(asked["messages"]) for asked in server.asked]
    assert "Before: a red ball. After: a blue ball." in said[0]
    assert "Before: a blue ball. After: a red ball." in said[1]
    worded(PairLine(WORDS), how)
    assert len(server.asked) == 2  # the same is asked once


def test_what_the_file_says_stays(server: Server) -> None:
    server.answer = "Make it red."
    said = worded(PairLine(WORDS, "make the ball blue"), RewriteOptions(url=server.url))
    assert (said["instruction"], said["reverse"]) == ("make the ball blue", "Make it red.")
    assert said["worded_by"] == f"the file of pairs; tiny at {server.url}"


def test_without_one_it_is_worded_plainly_and_a_failure_is_told(server: Server) -> None:
    plain = "Change 'a red ball' to 'a blue ball'."
    assert worded(PairLine(WORDS), RewriteOptions())["instruction"] == plain
    server.answer = ""
    with pytest.raises(BadInput, match="answered with nothing"):
        worded(PairLine(WORDS), RewriteOptions(url=server.url))
    assert worded(PairLine(WORDS), RewriteOptions(url=server.url, or_keep=True))["instruction"] == plain
