"""Which clip reads which keys and values, by kind of change, stage of the run and group of layers: a table.

Source: InsEdit, "Mutual Context Attention" (section 3.2 and appendix A.0.1). It publishes which policy each kind of change
uses early, in the middle and late, and in which layers; it publishes no number for where a stage or a group of layers ends.
Those numbers are ours, and parameters (`Stages`, `LayerGroups`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from reelpatch.errors import BadInput


class Policy(Enum):
    """What self-attention of a clip reads: its own keys and values, the other clip's, or both."""

    SELF = "self"
    CONCAT_K = "concat-k"
    CONCAT_KV = "concat-kv"
    SWAP_K = "swap-k"
    SWAP_KV = "swap-kv"

    @property
    def doubles(self) -> bool:
        """Whether twice as many keys are read, which doubles the work of self-attention."""
        return self in (Policy.CONCAT_K, Policy.CONCAT_KV)


class Stage(Enum):
    """A part of a run, by its noise."""

    EARLY = "early"
    MIDDLE = "middle"
    LATE = "late"


class Group(Enum):
    """A third of the blocks, or what `LayerGroups` makes of it."""

    SHALLOW = "shallow"
    MIDDLE = "middle"
    DEEP = "deep"


ALL_GROUPS = tuple(Group)


@dataclass(frozen=True)
class Rule:
    """In a stage and in some groups of layers, the target reads by `policy`; so does the source where it `is_mutual`."""

    stage: Stage
    policy: Policy
    groups: tuple[Group, ...] = ALL_GROUPS
    is_mutual: bool = True


SCHEDULES: Mapping[str, tuple[Rule, ...]] = {
    # "One branch keeps standard self-attention": the source.
    "insertion": (
        Rule(Stage.EARLY, Policy.SWAP_KV, is_mutual=False),
        Rule(Stage.MIDDLE, Policy.CONCAT_KV, is_mutual=False),
    ),
    "removal": (
        Rule(Stage.EARLY, Policy.SWAP_KV, is_mutual=False),
        Rule(Stage.MIDDLE, Policy.CONCAT_KV, is_mutual=False),
    ),
    "local": (Rule(Stage.EARLY, Policy.SWAP_KV), Rule(Stage.MIDDLE, Policy.CONCAT_KV)),
    "background": (
        Rule(Stage.EARLY, Policy.SWAP_K, (Group.SHALLOW, Group.MIDDLE)),
        Rule(Stage.MIDDLE, Policy.SWAP_K, (Group.SHALLOW, Group.MIDDLE)),
    ),
    # "First Swap KV and Concat KV in the early stage": which of them where is unpublished; the split by layers is ours.
    "colour": (
        Rule(Stage.EARLY, Policy.SWAP_KV, (Group.SHALLOW,)),
        Rule(Stage.EARLY, Policy.CONCAT_KV, (Group.MIDDLE, Group.DEEP)),
        Rule(Stage.MIDDLE, Policy.CONCAT_K),
    ),
    # "Throughout the selected layers and steps": which are selected is unpublished; that late ones are left out is ours.
    "motion": (Rule(Stage.EARLY, Policy.CONCAT_KV), Rule(Stage.MIDDLE, Policy.CONCAT_KV)),
    "none": (),
}
"""By kind of change; a stage that is not named is `SELF`, as the published late stages are. `none` shares nothing."""


@dataclass(frozen=True)
class Stages:
    """Where stages end: a call above the noise level `early` is in the early stage, above `middle` in the middle one.

    Levels are sigmas, not steps, so that two experts in two samplers, or a part of a run, fall right.
    """

    early: float
    middle: float

    def __post_init__(self) -> None:
        if not 0 <= self.middle <= self.early <= 1:
            raise BadInput(
                f"the early stage ends at noise {self.early:g} and the middle one at {self.middle:g}: use levels from 1 down to "
                "0, the middle one's not above the early one's."
            )

    @classmethod
    def of_run(cls, *, shift: float, early: float = 0.25, middle: float = 0.65) -> Stages:
        """Stages that end after these parts of the steps of a run with that shift; the parts are ours."""

        def level(part: float) -> float:
            return round(shift * (1 - part) / (1 + (shift - 1) * (1 - part)), 4)

        return cls(level(early), level(middle))

    def at(self, sigma: float) -> Stage:
        """The stage of a call at that noise level."""
        if sigma > self.early:
            return Stage.EARLY
        return Stage.MIDDLE if sigma > self.middle else Stage.LATE


@dataclass(frozen=True)
class LayerGroups:
    """Where the shallow and the middle layers end, in parts of all blocks; thirds are ours."""

    shallow: float = 1 / 3
    middle: float = 2 / 3

    def of(self, block: int, num_blocks: int) -> Group:
        """The group of a block, counted from 0."""
        part = block / num_blocks
        if part < self.shallow:
            return Group.SHALLOW
        return Group.MIDDLE if part < self.middle else Group.DEEP


@dataclass(frozen=True)
class SharingMethod:
    """How two clips share attention: the kind of change, which is a row of `SCHEDULES`, and where its parts end."""

    stages: Stages
    change: str = "local"
    groups: LayerGroups = field(default_factory=LayerGroups)

    def __post_init__(self) -> None:
        if self.change not in SCHEDULES:
            raise BadInput(
                f"there is no kind of change '{self.change[:40]}': use one of {', '.join(SCHEDULES)}.",
                setting="change",
            )

    def rules_at(self, sigma: float, num_blocks: int) -> dict[int, Rule]:
        """The rule of every block that has one in a call at that noise level."""
        stage = self.stages.at(sigma)
        rules = [rule for rule in SCHEDULES[self.change] if rule.stage is stage]
        return {
            block: rule
            for block in range(num_blocks)
            for rule in rules
            if self.groups.of(block, num_blocks) in rule.groups
        }

    def doubled_blocks(self, sigma: float, num_blocks: int) -> int:
        """In how many blocks a call at that noise level reads twice as many keys."""
        return sum(rule.policy.doubles for rule in self.rules_at(sigma, num_blocks).values())

    def describe(self) -> str:
        """One line for the person who chose it."""
        rules = SCHEDULES[self.change]
        if not rules:
            return "no attention is shared"
        told = ", ".join(
            f"{rule.policy.value} {rule.stage.value}"
            + (
                ""
                if rule.groups == ALL_GROUPS
                else f" in {' and '.join(one.value for one in rule.groups)} layers"
            )
            for rule in rules
        )
        return f"{self.change}: {told}; early above noise {self.stages.early:g}, middle above {self.stages.middle:g}"

    def as_dict(self) -> dict[str, Any]:
        """The schedule in plain types, as a record keeps it."""
        rules = [
            {
                "stage": rule.stage.value,
                "policy": rule.policy.value,
                "layers": [one.value for one in rule.groups],
                "both_clips": rule.is_mutual,
            }
            for rule in SCHEDULES[self.change]
        ]
        return {
            "change": self.change,
            "rules": rules,
            "early_above_noise": self.stages.early,
            "middle_above_noise": self.stages.middle,
            "shallow_until": self.groups.shallow,
            "middle_until": self.groups.middle,
        }
