"""The model of a cluster: nothing is lost in it, and where the sum is known it is that."""

import pytest

from benchmarks.cluster import Simulation, World, simulate, table

QUIET = World(
    window_s=100.0,
    weight_bytes=0.0,
    dispatch_s=0.0,
    windows=(2, 2),
    slower=0.0,
    clip_bytes=0.0,
    fails_every_h=1e12,
)


def test_a_hundred_clips_on_ten_cards_take_what_can_be_counted() -> None:
    simulation = Simulation(QUIET, 10, 100, spot=False)
    told = simulation.run()
    assert told.ended == 100
    assert told.worked_s == pytest.approx(100 * 200.0)
    assert simulation.makespan_s == pytest.approx(10 * 200.0)
    assert told.losses == 0
    more = simulate(QUIET, 10, spot=False, clips=10_000)  # of which it simulates 1,000
    assert more["simulated_clips"] == 1000
    assert more["makespan_h"] * 3600 == pytest.approx(1000 * 200.0, rel=0.02)
    assert more["idle_share"] == pytest.approx(0.0, abs=0.02)


def test_every_clip_ends_once_whatever_fails() -> None:
    world = World(window_s=1800.0, weight_bytes=30e9, dispatch_s=0.01, preempted_every_h=1.0)
    simulation = Simulation(world, 20, 400, spot=True)
    told = simulation.run()
    assert told.ended == 400
    assert told.losses > 20
    assert told.lost_s > 0
    spent = told.worked_s + told.lost_s + told.away_s + told.loading_s
    assert spent <= 20 * simulation.makespan_s


@pytest.mark.parametrize(
    ("slow", "named"),
    [({"dispatch_s": 50.0}, "dispatcher"), ({"store_bytes_s": 1e6, "clip_bytes": 20e6}, "store")],
)
def test_what_all_wait_for_is_the_next_bottleneck(slow: dict[str, float], named: str) -> None:
    world = World(**{"window_s": 100.0, "weight_bytes": 0.0, "dispatch_s": 0.0, **slow})
    found = simulate(world, 100, spot=False, clips=1000)
    assert found["next_bottleneck"] == named
    assert found["busy_shares"][named] > 0.9
    assert found["cards_until_full"] < 120
    assert any(f"{named}: " in line for line in table([found], world, ""))
