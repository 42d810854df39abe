"""What was made leaner is told with both sides, and not where they do not make the same."""

import pytest
import torch

from benchmarks import before_after
from benchmarks.before_after import Row, counted, lines
from benchmarks.results import Disagree

MOST_ACTIVATIONS_GIB, MOST_WEIGHTS_GIB = 2.0, 1.3  # the project's own bars for Ditto's job


def test_what_is_counted_of_dittos_job_is_within_the_bars() -> None:
    activations, weights, *arithmetic = counted()
    assert activations.after <= MOST_ACTIVATIONS_GIB < activations.before
    assert weights.after <= MOST_WEIGHTS_GIB < weights.before
    assert all(row.ratio < 1 for row in arithmetic)


def test_a_row_shows_both_sides_and_their_ratio() -> None:
    row = Row("an edit: slow, fast", "s", 2.0, 0.5, "same bits")
    assert lines([row.as_dict()])[-1] == "| an edit: slow, fast | s | 2 | 0.5 | 0.250 | same bits |"


def test_no_times_are_told_of_edits_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drifts:
        """An editor whose every edit is another."""

        def __init__(self, *_args: object) -> None:
            self.edits, self._encoded = 0.0, None

        def edit(self, *_args: object) -> torch.Tensor:
            self.edits += 1
            return torch.tensor(self.edits)

    monkeypatch.setattr(before_after, "Editor", Drifts)
    with pytest.raises(Disagree, match="encoded before differ"):
        list(before_after.encodes())
