"""Times of contenders that take turns, so that a busy or slowing machine weighs on all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Run = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Times:
    """Seconds of each turn, in order."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def spread(self) -> tuple[float, float]:
        """The 10th and the 90th percentile."""
        return spread_of(self.seconds)

    def as_dict(self) -> dict[str, Any]:
        low, high = self.spread()
        return {"median_s": self.median, "p10_s": low, "p90_s": high, "turns": len(self.seconds)}


def interleaved(
    contenders: Mapping[str, Run],
    *,
    turns: int,
    warm_up: int = 1,
    wait: Run = lambda: None,
    clock: Clock = time.perf_counter,
) -> dict[str, Times]:
    """The times of contenders that take turns; `wait` ends a turn where work is still under way, as on a GPU.

    `clock` counts seconds: of the wall, or of the processor alone.
    """
    for _ in range(warm_up):
        for run in contenders.values():
            run()
    wait()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(turns):
        # Backwards in every other round: whoever comes second finds caches and clocks as the first one left them.
        order = list(contenders) if turn % 2 == 0 else list(contenders)[::-1]
        for name in order:
            began = clock()
            contenders[name]()
            wait()
            seconds[name].append(clock() - began)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def ratio(ours: Times, theirs: Times) -> dict[str, float]:
    """Ours over theirs, turn by turn: the median, and the 10th and 90th percentile."""
    ratios = tuple(one / other for one, other in zip(ours.seconds, theirs.seconds, strict=True))
    low, high = spread_of(ratios)
    return {"ratio": statistics.median(ratios), "ratio_p10": low, "ratio_p90": high}


def spread_of(values: tuple[float, ...]) -> tuple[float, float]:
    """The 10th and the 90th percentile."""
    if len(values) == 1:
        return values[0], values[0]
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]
