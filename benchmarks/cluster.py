"""A batch of a million clips on 1 to 10,000 cards, as a discrete-event model: `python -m benchmarks.cluster`.

On paper: no card is used. What a job computes is `plan`'s for a window of the recipe on a card, what the dispatcher takes is
measured here on the real one, and all else is stated in `World` with where it is from. What comes out is how long all takes, how
much the cards wait, what failures cost, and which part is busiest: the next bottleneck. Events are SimPy's.

A number of cards works through `CLIPS_A_CARD` clips each, at most all; what is left of all goes on at the rate of the second half
(whose clips are drawn, so that shares are true to some 0.5 %).
Shared links serve streams one after the other at full rate, which moves the same bytes in the same time.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import simpy

from benchmarks import results
from benchmarks.dispatch_cost import dispatch_seconds
from reelpatch.plan.cards import CARDS
from reelpatch.plan.job import Job
from reelpatch.plan.machine import Machine
from reelpatch.plan.memory import GIB
from reelpatch.plan.plan import plan_edit
from reelpatch.recipes import recipe

CARD_COUNTS = (1, 10, 100, 1000, 10_000)
CLIPS = 1_000_000
CLIPS_A_CARD = 100
HOUR_S = 3600.0


@dataclass(frozen=True)
class World:
    """What a cluster is like.

    Units: seconds, bytes, hours. `windows` (least, most) of a clip are drawn evenly; `slower` is how much a window may take longer
    than planned, at most, drawn evenly.
    """

    window_s: float
    weight_bytes: float
    dispatch_s: float
    windows: tuple[int, int] = (1, 5)
    slower: float = 0.15
    clip_bytes: float = 20e6  # 5 s of 480p H.264 at 8 Mbit/s, in and out
    store_bytes_s: float = 25e9  # a store behind a 200 Gbit/s link
    node_bytes_s: float = 2.5e9  # 20 Gbit/s for each card's share of its node
    fails_every_h: float = (
        50_700.0  # a card; Llama 3: 419 interruptions in 54 days on 16,384 (arXiv:2407.21783, table 5)
    )
    preempted_every_h: float = 24.0  # a card rented by the spot; stated, not measured
    back_after_s: float = 300.0  # a new node boots and joins


@dataclass
class Told:
    """What happened, in seconds of cards; `dispatch_s` and `store_s` are those of the two that all share."""

    worked_s: float = 0.0
    lost_s: float = 0.0
    away_s: float = 0.0
    loading_s: float = 0.0
    dispatch_s: float = 0.0
    store_s: float = 0.0
    losses: int = 0
    ended: int = 0
    half_at_s: float = 0.0


@dataclass
class Line:
    """Something that serves one after the other, in the order in which they come; until `free_at_s` it has work."""

    free_at_s: float = 0.0

    def ends(self, now_s: float, takes_s: float) -> float:
        """When it is done with what comes now and takes it so long."""
        self.free_at_s = max(self.free_at_s, now_s) + takes_s
        return self.free_at_s


class Simulation:
    """One number of cards; `makespan_s` is when the last clip is there."""

    def __init__(self, world: World, cards: int, clips: int, *, spot: bool, seed: int = 0) -> None:
        self.world, self.cards, self.clips = world, cards, clips
        self.env = simpy.Environment()
        self.dispatcher = Line()
        self.store = Line()
        self.told = Told()
        self._left, self._spot = clips, spot
        self._random = random.Random(seed)
        for _ in range(cards):
            self.env.process(self._card())

    def run(self) -> Told:
        """Until all clips are there."""
        self.env.run()
        return self.told

    @property
    def makespan_s(self) -> float:
        return self.env.now

    def _card(self) -> Iterator[simpy.Event]:
        fails_at = self._next_failure()
        yield from self._load()
        while self._left:
            self._left -= 1
            self.told.dispatch_s += self.world.dispatch_s
            yield self.env.timeout(self.dispatcher.ends(self.env.now, self.world.dispatch_s) - self.env.now)
            yield self._transfer(self.world.clip_bytes)
            windows = [self._window_s() for _ in range(self._random.randint(*self.world.windows))]
            while self.env.now + sum(windows) >= fails_at:
                # Finished windows stay: the running one is lost, and whoever takes the clip begins with it.
                while windows and self.env.now + windows[0] < fails_at:
                    yield self._work(windows.pop(0))
                yield from self._fail(fails_at)
                fails_at = self._next_failure()
                windows = [self._window_s() for _ in windows]
            yield self._work(sum(windows))
            yield self._transfer(self.world.clip_bytes)
            self.told.ended += 1
            if self.told.ended == self.clips // 2:
                self.told.half_at_s = self.env.now

    def _window_s(self) -> float:
        return self.world.window_s * (1 + self._random.random() * self.world.slower)

    def _work(self, seconds: float) -> simpy.Event:
        self.told.worked_s += seconds
        return self.env.timeout(seconds)

    def _fail(self, at: float) -> Iterator[simpy.Event]:
        lost = max(0.0, at - self.env.now)
        yield self.env.timeout(lost)
        self.told.lost_s += lost
        self.told.losses += 1
        yield self.env.timeout(self.world.back_after_s)
        self.told.away_s += self.world.back_after_s
        yield from self._load()

    def _load(self) -> Iterator[simpy.Event]:
        began = self.env.now
        yield self._transfer(self.world.weight_bytes)
        self.told.loading_s += self.env.now - began

    def _transfer(self, num_bytes: float) -> simpy.Event:
        seconds = num_bytes / self.world.store_bytes_s
        self.told.store_s += seconds
        there = self.store.ends(self.env.now, seconds) + num_bytes / self.world.node_bytes_s
        return self.env.timeout(there - self.env.now)

    def _next_failure(self) -> float:
        every_h = 1 / (
            1 / self.world.fails_every_h + (1 / self.world.preempted_every_h if self._spot else 0.0)
        )
        return self.env.now + self._random.expovariate(1 / (every_h * HOUR_S))


def simulate(world: World, cards: int, *, spot: bool, clips: int = CLIPS) -> dict[str, Any]:
    """What a number of cards makes of all clips."""
    taken = min(clips, max(CLIPS_A_CARD * cards, 1000))
    simulation = Simulation(world, cards, taken, spot=spot)
    told = simulation.run()
    part, more = simulation.makespan_s, clips / taken
    makespan = part + (clips - taken) * (part - told.half_at_s) / (taken - taken // 2)
    busy_s = (told.worked_s + told.lost_s) * more
    shared = {
        "dispatcher": told.dispatch_s * more / makespan,
        "store": _store_s(told, world, cards, more) / makespan,
    }
    return {
        "cards": cards,
        "spot": spot,
        "simulated_clips": taken,
        "makespan_h": makespan / HOUR_S,
        "idle_share": max(0.0, 1 - busy_s / (cards * makespan)),
        "lost_share": told.lost_s * more / (cards * makespan),
        "loading_share": told.loading_s / (cards * part),
        "losses": told.losses * more,
        "busy_shares": shared,
        "next_bottleneck": max(shared, key=lambda name: shared[name]),
        "cards_until_full": cards / max(*shared.values(), 1e-9),
    }


def _store_s(told: Told, world: World, cards: int, more: float) -> float:
    """How long the store is busy for all clips: each card loads its weights once, and all else is in proportion."""
    first = cards * world.weight_bytes / world.store_bytes_s
    return first + max(0.0, told.store_s - first) * more


def world_of(name: str, card: str) -> World:
    """What `plan` says of a recipe on a card, and what is measured of the dispatcher here."""
    chosen = recipe(name)
    spec = next(one for one in CARDS if one.name == card)
    machine = Machine(card, 256 * GIB, spec.vram, card)
    plan = plan_edit(Job(chosen, chosen.frames, (chosen.height, chosen.width)), {}, [machine])
    (here,) = plan.machines
    spans = here.durations[0].total
    weights = sum(file.size_gb or 0 for file in chosen.files) * 1e9
    return World((spans.low + spans.high) / 2, weights, dispatch_seconds())


def table(found: Sequence[dict[str, Any]], world: World, about: str) -> list[str]:
    """The figures to read."""
    lines = [
        "# A million clips on a cluster, modelled",
        "",
        about,
        "",
        *(
            f"{name}: {value:g}  " if isinstance(value, float) else f"{name}: {value}  "
            for name, value in asdict(world).items()
        ),
        "",
        "| cards | rented by the spot | all clips take | cards wait | loading weights, of the part simulated | work lost | cards lost | dispatcher busy | store busy | the next bottleneck fills up at |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        busy = one["busy_shares"]
        lines.append(
            f"| {one['cards']:,} | {'yes' if one['spot'] else 'no'} | {_days(one['makespan_h'])} | {one['idle_share']:.2%} | "
            f"{one['loading_share']:.2%} | {one['lost_share']:.3%} | {one['losses']:,.0f} | {busy['dispatcher']:.2%} | {busy['store']:.2%} | "
            f"{one['next_bottleneck']}: {one['cards_until_full']:,.0f} cards |"
        )
    return lines


def _days(hours: float) -> str:
    return f"{hours / 24:,.1f} days" if hours > 48 else f"{hours:.1f} h"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="ditto-global")
    parser.add_argument("--card", default="H200", choices=[card.name for card in CARDS])
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    options = parser.parse_args(argv)
    world = world_of(options.recipe, options.card)
    found: list[dict[str, Any]] = []
    for cards in CARD_COUNTS:
        for spot in (False, True):
            began = time.perf_counter()
            found.append(simulate(world, cards, spot=spot, clips=options.clips))
            sys.stderr.write(f"{cards} cards: {time.perf_counter() - began:.0f} s\n")
            _write(found, world, options)


def _write(found: Sequence[dict[str, Any]], world: World, options: argparse.Namespace) -> None:
    """What there is up to now: the largest numbers of cards take the longest."""
    about = f"{options.clips:,} clips by {options.recipe} on {options.card}s; a model, no card was used."
    content = {"machine": results.machine(), "world": asdict(world), "clips": options.clips, "runs": found}
    sys.stdout.write(f"{results.write('cluster', content, table(found, world, about), options.out)}\n")


if __name__ == "__main__":
    main()
