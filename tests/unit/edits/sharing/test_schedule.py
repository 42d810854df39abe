"""The table of attention sharing, beside what InsEdit published of it (appendix A.0.1)."""

import pytest

from reelpatch.edits.sharing.schedule import (
    SCHEDULES,
    Group,
    LayerGroups,
    Policy,
    SharingMethod,
    Stage,
    Stages,
)
from reelpatch.errors import BadInput
from reelpatch.recipes import RECIPES
from reelpatch.recipes.levels import sigmas_of

SHALLOW, MIDDLE, DEEP = Group


def told(change: str, stage: Stage) -> set[tuple[Policy, tuple[Group, ...], bool]]:
    return {(rule.policy, rule.groups, rule.is_mutual) for rule in SCHEDULES[change] if rule.stage is stage}


def test_the_table_is_what_was_published() -> None:
    everywhere = (SHALLOW, MIDDLE, DEEP)
    for change in ("insertion", "removal"):  # one branch keeps standard self-attention
        assert told(change, Stage.EARLY) == {(Policy.SWAP_KV, everywhere, False)}
        assert told(change, Stage.MIDDLE) == {(Policy.CONCAT_KV, everywhere, False)}
    assert told("local", Stage.EARLY) == {(Policy.SWAP_KV, everywhere, True)}
    assert told("local", Stage.MIDDLE) == {(Policy.CONCAT_KV, everywhere, True)}
    for stage in (Stage.EARLY, Stage.MIDDLE):  # Swap K, mainly in shallow-to-middle layers
        assert told("background", stage) == {(Policy.SWAP_K, (SHALLOW, MIDDLE), True)}
        assert told("motion", stage) == {(Policy.CONCAT_KV, everywhere, True)}
    assert {policy for policy, _, _ in told("colour", Stage.EARLY)} == {Policy.SWAP_KV, Policy.CONCAT_KV}
    assert told("colour", Stage.MIDDLE) == {(Policy.CONCAT_K, everywhere, True)}
    assert not [rule for rules in SCHEDULES.values() for rule in rules if rule.stage is Stage.LATE]


def test_no_block_has_two_rules_in_a_stage() -> None:
    for rules in SCHEDULES.values():
        for stage in Stage:
            groups = [group for rule in rules if rule.stage is stage for group in rule.groups]
            assert len(groups) == len(set(groups))


def test_stages_go_by_noise() -> None:
    stages = Stages(0.9, 0.6)
    assert [stages.at(sigma) for sigma in (1.0, 0.901, 0.9, 0.61, 0.6, 0.0)] == [
        Stage.EARLY, Stage.EARLY, Stage.MIDDLE, Stage.MIDDLE, Stage.LATE, Stage.LATE,
    ]  # fmt: skip


def test_groups_are_thirds() -> None:
    for num_blocks in (30, 40, 8):
        found = [LayerGroups().of(block, num_blocks) for block in range(num_blocks)]
        assert found == sorted(found, key=list(Group).index)
        assert all(abs(found.count(group) - num_blocks / 3) < 1 for group in Group)


@pytest.mark.parametrize("name", [name for name, one in RECIPES.items() if one.sharing])
def test_the_stages_of_recipes_end_after_their_parts_of_the_run(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.sharing is not None
    stages = [recipe.sharing.stages.at(float(sigma)) for sigma in sigmas_of(recipe)[:-1]]
    # Steps that begin in the first 25 % of the run, and in the first 65 %; a step at the border may fall on either side.
    assert abs(stages.count(Stage.EARLY) - 0.25 * recipe.steps) <= 1
    assert abs(stages.count(Stage.EARLY) + stages.count(Stage.MIDDLE) - 0.65 * recipe.steps) <= 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="there is no kind of change 'lokal': use one of insertion,"):
        SharingMethod(Stages(0.9, 0.6), "lokal")
    with pytest.raises(BadInput, match="the early stage ends at noise"):
        Stages(0.5, 0.6)


def test_a_method_is_told_and_recorded() -> None:
    method = SharingMethod(Stages(0.9, 0.6), "background")
    assert method.describe() == (
        "background: swap-k early in shallow and middle layers, swap-k middle in shallow and middle layers; early above noise "
        "0.9, middle above 0.6"
    )
    assert method.as_dict()["rules"][0] == {
        "stage": "early", "policy": "swap-k", "layers": ["shallow", "middle"], "both_clips": True,
    }  # fmt: skip
