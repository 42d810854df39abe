"""What torchrun says to each of the processes that work on one clip: their number, and which of them this one is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from reelpatch.edits.capability import Capability
from reelpatch.errors import BadInput
from reelpatch.recipes import Recipe

WAYS = ("auto", "ulysses", "ring")
"""How the processes attend over all tokens: by exchanging heads, or keys and values; auto takes heads where they divide."""
SHARED_VERBS = ("edit", "enhance", "task")
_SHAREABLE = frozenset({Capability.ADD_AFTER_BLOCK, Capability.BRING_TOKENS})
HOW_TO_START = "torchrun --nproc_per_node 2 -m reelpatch edit ..."


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank` of `count`, and number `local` of those on this machine; the first one leads."""

    rank: int
    count: int
    local: int

    @property
    def is_leader(self) -> bool:
        """Whether it reads, writes and speaks; the others compute with it."""
        return self.rank == 0


def find_ranks(environment: Mapping[str, str] = os.environ) -> Ranks | None:
    """This process among those of torchrun; None where it works alone.

    The variables of other launchers do not count: a job of a cluster may set RANK for a purpose of its own, and whoever was started
    by what torchrun started may have inherited some of them.
    """
    told = [environment.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if "TORCHELASTIC_RUN_ID" not in environment or not all(one.isdecimal() for one in told):
        return None
    ranks = Ranks(*map(int, told))
    return ranks if ranks.count > 1 else None


def check_verb(verb: str) -> None:
    """Raises: `BadInput` for a verb whose work cannot be shared, under torchrun."""
    if find_ranks() is not None and verb not in SHARED_VERBS:
        raise BadInput(
            f"torchrun has several processes work on one clip, which '{verb}' does not: start it without torchrun."
        )


def check_shareable(recipe: Recipe) -> None:
    """Raises: `BadInput` for a recipe whose kind of edit needs more than its tokens can be given in parts, and for steps at half the size."""
    if recipe.half_size_steps:
        raise BadInput(
            "steps at half the size are made by one process on one card, but several share this run: leave them out, or let one do it.",
            setting="half_size_steps",
        )
    for need in sorted(recipe.edit_kind.needs - _SHAREABLE, key=lambda capability: capability.name):
        raise BadInput(
            f"the recipe '{recipe.name}' cannot be shared by several processes or cards, which cannot {need.value}: let one do it.",
            setting="recipe",
        )


def check_asked(way: str | None) -> None:
    """Raises: `BadInput` for a way to share that was asked of a process that works alone."""
    if way is not None and find_ranks() is None:
        raise BadInput(
            f"it was said how several processes share a clip, but this one works alone: start them by `{HOW_TO_START}`, or leave "
            "it out.",
            setting="parallel",
        )


def own_device(name: str, ranks: Ranks, num_cards: int) -> str:
    """The device of one process: a card of its own, or the CPU, which all share.

    Raises: `BadInput` for one device that is named for all, and for more processes than cards.
    """
    if name == "cpu" or (name == "auto" and not num_cards):
        return "cpu"
    if name not in ("auto", "cuda"):
        raise BadInput(
            f"the device '{name}' was named for {ranks.count} processes, each of which takes one of its own: use cuda, cpu or auto.",
            setting="device",
        )
    if ranks.local >= num_cards:
        raise BadInput(
            f"process {ranks.local + 1} on this machine finds {num_cards} CUDA cards, and each takes one: start no more processes "
            "than there are cards (--nproc_per_node)."
        )
    return f"cuda:{ranks.local}"


def way_for(way: str, num_heads: int, count: int) -> str:
    """`ulysses` or `ring`. Raises: `BadInput` where heads are to be exchanged that the processes do not divide."""
    divides = num_heads % count == 0
    if way == "auto":
        return "ulysses" if divides else "ring"
    if way == "ulysses" and not divides:
        counts = [str(one) for one in range(2, num_heads + 1) if num_heads % one == 0]
        fitting = f"start {', '.join(counts)} processes, or " if counts else ""
        heads = "1 head" if num_heads == 1 else f"{num_heads} heads"
        raise BadInput(
            f"Ulysses gives each process the same number of attention heads, but {count} processes do not divide {heads}: "
            f"{fitting}use ring.",
            setting="parallel",
        )
    return way
