"""One forward shared by several processes gives what one process gives, and sends what can be counted by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.forked import forked
from tests.golden import tiny_wan
from tests.unit.headless.hosts.ranks import spread_cases
from tests.unit.headless.hosts.ranks.spread_cases import CASES, COUNTED, COUNTS, WIDTH, tiny_models

# Sums of products in another order; the numbers are up to 2.6.
SAME = 1e-4
FP32 = 4
BLOCKS = {"backbone": 3, "module": 5, "segments": 3}
TOKENS = {"backbone": 48, "module": 48, "segments": 48 + 24 + 8}
OUT_NUMBERS = 4 * 2 * 2  # of a token: channels of a patch


@pytest.fixture(scope="module")
def alone() -> dict[str, Tensor]:
    models = tiny_models()
    return {name: case(models) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def by_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what two processes made, and four."""
    folder = tmp_path_factory.mktemp("together")
    (ended,) = forked([("together", lambda: spread_cases.main(folder))])
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture(scope="module", params=COUNTS)
def together(request: pytest.FixtureRequest, by_all: Path) -> tuple[int, list[dict[str, Any]]]:
    """How many processes there are, and what each of them made."""
    return request.param, torch.load(by_all / f"{request.param}.pt", weights_only=True)


@pytest.mark.parametrize("way", ["ulysses", "ring"])
@pytest.mark.parametrize("name", CASES)
def test_processes_together_make_what_one_makes(
    together: tuple[int, list[dict[str, Any]]], alone: dict[str, Tensor], way: str, name: str
) -> None:
    first, *others = (made[f"{way}: {name}"] for made in together[1])
    assert tiny_wan.largest_difference(first, alone[name]) <= SAME
    assert all(torch.equal(first, other) for other in others)


def test_what_is_made_is_not_one_and_the_same(alone: dict[str, Tensor]) -> None:
    """The cases differ by more than the tolerance, so that each of them says something."""
    for one, other in (
        ("backbone", "module"),
        ("backbone", "segments"),
        ("module", "both"),
        ("module", "skipped"),
    ):
        assert tiny_wan.largest_difference(alone[one], alone[other]) > 5 * SAME


@pytest.mark.parametrize("way", ["ulysses", "ring"])
@pytest.mark.parametrize("name", COUNTED)
def test_the_bytes_that_a_process_sends(
    together: tuple[int, list[dict[str, Any]]], way: str, name: str
) -> None:
    """Ulysses sends the others' heads of queries, keys, values and results; a ring keys and values to each of the others.

    All parts are equally long here; of others the lengths are exchanged too.
    """
    count, made = together
    part = TOKENS[name] // count * WIDTH * FP32
    by_block = 4 * part * (count - 1) // count if way == "ulysses" else 2 * part * (count - 1)
    end = TOKENS["backbone"] // count * OUT_NUMBERS * FP32 * (count - 1)
    collectives = BLOCKS[name] * (4 if way == "ulysses" else 1) + 1
    for one in made:
        assert one[f"{way}: bytes of {name}"] == (BLOCKS[name] * by_block + end, collectives)
