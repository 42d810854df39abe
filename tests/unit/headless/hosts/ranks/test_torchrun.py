"""What a process takes from torchrun's words, and what it refuses."""

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.hosts.ranks.torchrun import (
    Ranks,
    check_asked,
    check_shareable,
    check_verb,
    find_ranks,
    own_device,
    way_for,
)
from reelpatch.recipes import recipe

SECOND = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "RANK": "1", "LOCAL_RANK": "1"}
RANKS = Ranks(1, 4, 1)


def test_torchrun_alone_makes_ranks() -> None:
    assert find_ranks(SECOND) == RANKS
    assert not RANKS.is_leader
    assert find_ranks(SECOND | {"WORLD_SIZE": "1"}) is None
    assert (
        find_ranks({name: value for name, value in SECOND.items() if name.isupper() and "RUN_ID" not in name})
        is None
    )
    assert find_ranks({"WORLD_SIZE": "two"}) is None  # of another launcher
    assert find_ranks({name: value for name, value in SECOND.items() if name != "RANK"}) is None


def test_each_process_has_a_device_of_its_own() -> None:
    assert own_device("auto", RANKS, 4) == own_device("cuda", RANKS, 2) == "cuda:1"
    assert own_device("auto", RANKS, 0) == own_device("cpu", RANKS, 4) == "cpu"
    with pytest.raises(
        BadInput, match="'cuda:1' was named for 4 processes, each of which takes one of its own"
    ):
        own_device("cuda:1", RANKS, 4)
    with pytest.raises(BadInput, match="process 2 on this machine finds 1 CUDA cards, and each takes one"):
        own_device("auto", RANKS, 1)


def test_heads_decide_the_way() -> None:
    assert [way_for("auto", 40, count) for count in (2, 3, 8, 16)] == ["ulysses", "ring", "ulysses", "ring"]
    assert way_for("ring", 40, 4) == "ring"
    with pytest.raises(
        BadInput, match="8 processes do not divide 12 heads: start 2, 3, 4, 6, 12 processes, or use ring"
    ):
        way_for("ulysses", 12, 8)
    with pytest.raises(BadInput, match="2 processes do not divide 1 head: use ring"):
        way_for("ulysses", 1, 2)


def test_edits_that_need_all_tokens_at_once_are_refused() -> None:
    for name in ("demo", "ditto-global", "bernini-r", "easyv2v", "enhance", "reco"):
        check_shareable(recipe(name))
    with pytest.raises(
        BadInput, match=r"'shared-attention' cannot be shared .*, which cannot let an edit replace the keys"
    ):
        check_shareable(recipe("shared-attention"))
    with pytest.raises(BadInput, match="'capybara' cannot be shared"):
        check_shareable(recipe("capybara"))


def test_what_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_verb("recipes")
    with pytest.raises(BadInput, match=r"this one works alone: start them by `torchrun .*`, or leave it out"):
        check_asked("ring")
    for name, value in SECOND.items():
        monkeypatch.setenv(name, value)
    check_asked("ring")
    check_verb("edit")
    with pytest.raises(BadInput, match="several processes work on one clip, which 'batch' does not"):
        check_verb("batch")
