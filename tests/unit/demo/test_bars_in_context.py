"""The shipped edit adapter on held-out scenes.

`reelpatch demo --recipe demo-in-context --evaluate 256` prints the figures of docs/measured.md, among them bars that are missed; here 24
scenes keep `make test` short. A rate of so few is held to what 256 gave, less two standard errors of its own number of scenes.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from reelpatch.headless.demo.evaluate_in_context import evaluate_in_context

MEASURED = {"all": 0.94, "'it', by its mask": 0.97}
"""Of 256 scenes, as docs/measured.md has them; those of which all were done have room for one of 24."""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return evaluate_in_context(24, compare_each=4).as_dict()


@pytest.mark.parametrize("group", MEASURED)
def test_edits_are_done_as_often_as_measured(report: dict[str, Any], group: str) -> None:
    row, rate = report["edits"][group], MEASURED[group]
    assert row["n"] >= 3
    assert row["hit_rate"] >= rate - 2 * sqrt(rate * (1 - rate) / row["n"]) - 1e-3, row
    assert row["copy_source"] == 0


def test_no_mask_is_a_blank_mask_and_kept_pixels_are_exact(report: dict[str, Any]) -> None:
    assert report["no_mask_equals_blank_mask"]
    assert report["kept_8bit_values_changed"] == 0


def test_the_vae_is_no_bottleneck(report: dict[str, Any]) -> None:
    assert report["edits"]["all"]["vae_ceiling"] >= 0.8
