"""What the benchmark of four passes compares: the same predictions, of as many forwards."""

from benchmarks.four_passes import contenders
from benchmarks.results import check_agree

SMALL = (16, 1, 4, 4)


def test_both_compute_the_same_in_four_forwards() -> None:
    made = contenders(SMALL)
    guided = made.guided()
    assert len(made.forwards) == 4
    single = made.single()
    assert len(made.forwards) == 8
    assert guided.std() > 0
    check_agree(guided, single, at_most=1e-5, what="four passes")  # float32 sums in another order
