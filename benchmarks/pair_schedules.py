"""Which schedules of attention sharing keep more, or show the change more often, on the demo's weights with the LoRA of captions.

`python -m benchmarks.pair_schedules --kind insertion --pairs 12` judges every schedule tried here as `benchmarks.pairs` does, on pairs of
seeds that it does not use: what is chosen by these can be measured by those. The target alone reads from the source, unless
the schedule is the published one of its kind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.pairs import FIRST_SEED, KINDS, Asked, Pairs, likeness, shows
from reelpatch.edits.sharing import schedule
from reelpatch.edits.sharing.schedule import Group, Policy, Rule, Stage, Stages
from reelpatch.sampling.guidance import Guidance

EARLIER_SEEDS = FIRST_SEED - 1000
AT_ONCE = 12
TRIED = "tried"


@dataclass(frozen=True)
class Tried:
    """Rules, with the parts of the run after which the early and the middle stage end, and the guidance."""

    rules: tuple[Rule, ...]
    early: float = 0.25
    middle: float = 0.65
    guidance: float = 2.5


def by(
    policy: Policy, *stages: Stage, groups: tuple[Group, ...] = schedule.ALL_GROUPS, **more: float
) -> Tried:
    """One policy, by which the target alone reads, in some stages and layers."""
    return Tried(tuple(Rule(stage, policy, groups, is_mutual=False) for stage in stages), **more)


EARLY, MIDDLE = Stage.EARLY, Stage.MIDDLE
SCHEDULES: Mapping[str, Mapping[str, Tried]] = {
    "insertion": {
        "independent": Tried(()),
        "independent, guidance 4": Tried((), guidance=4.0),
        "published": Tried(schedule.SCHEDULES["insertion"]),
        "concat-kv to 65 %": by(Policy.CONCAT_KV, EARLY, MIDDLE),
        "concat-kv to 25 %": by(Policy.CONCAT_KV, EARLY),
        "concat-kv to 65 %, not in deep layers": by(
            Policy.CONCAT_KV, EARLY, MIDDLE, groups=(Group.SHALLOW, Group.MIDDLE)
        ),
        "swap-k to 65 %": by(Policy.SWAP_K, EARLY, MIDDLE),
        "concat-k to 65 %": by(Policy.CONCAT_K, EARLY, MIDDLE),
        "concat-kv from 25 to 65 %": by(Policy.CONCAT_KV, MIDDLE),
    },
    "background": {
        "independent": Tried(()),
        "published": Tried(schedule.SCHEDULES["background"]),
        "swap-kv to 25 %": by(Policy.SWAP_KV, EARLY),
        "concat-kv to 25 %": by(Policy.CONCAT_KV, EARLY),
        "swap-kv to 50 %": by(Policy.SWAP_KV, EARLY, early=0.5),
        "swap-kv to 60 %": by(Policy.SWAP_KV, EARLY, early=0.6),
        "swap-kv to 75 %": by(Policy.SWAP_KV, EARLY, early=0.75, middle=0.75),
        "as published for insertion": Tried(schedule.SCHEDULES["insertion"]),
    },
}


def judged(pairs: Pairs, kind: str, tried: Tried, count: int) -> dict[str, Any]:
    """Mean likeness outside the change in dB, and in which parts of the pairs source, target, and both show their captions."""
    plain = pairs.maker.recipe
    schedule.SCHEDULES[TRIED] = tried.rules  # type: ignore[index] -- what stands there is read by name
    stages = Stages.of_run(shift=plain.shift, early=tried.early, middle=tried.middle)
    pairs.maker.recipe = replace(
        plain, guidance=Guidance(tried.guidance), sharing=replace(plain.check_shares(), stages=stages)
    )
    first = EARLIER_SEEDS - EARLIER_SEEDS % len(KINDS) + KINDS.index(kind)
    asked = [Asked.of(first + len(KINDS) * number) for number in range(count)]
    shown: list[tuple[bool, bool]] = []
    found: list[float] = []
    for begin in range(0, count, AT_ONCE):
        some = asked[begin : begin + AT_ONCE]
        for one, (source, target) in zip(some, pairs.make(some, TRIED, begin), strict=True):
            shown.append((shows(source, one.source), shows(target, one.target)))
            found += [value for value in (likeness(one, source, target),) if value is not None]
    pairs.maker.recipe = plain
    sources, targets = np.mean(shown, axis=0)
    return {
        "psnr_outside_db": round(float(np.mean(found)), 1) if found else None,
        "change_present": round(float(np.mean([all(both) for both in shown])), 3),
        "source_shown": round(float(sources), 3),
        "target_shown": round(float(targets), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=tuple(SCHEDULES), required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument(
        "--schedule", help="the one to try, as it is called in the table; all where none is named"
    )
    options = parser.parse_args()
    tried_here = SCHEDULES[options.kind]
    if options.schedule is not None and options.schedule not in tried_here:
        parser.error(f"--schedule {options.schedule!r} is none of {', '.join(map(repr, tried_here))}")
    pairs = Pairs()
    for name, tried in tried_here.items():
        if options.schedule not in (None, name):
            continue
        told = {"schedule": name} | judged(pairs, options.kind, tried, options.pairs)
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
