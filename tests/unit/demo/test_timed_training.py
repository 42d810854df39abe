"""Training that ends by the clock: its scenes come in meanwhile, its draws are those of the sentences, its weights are averages."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from training import adapter_scenes, further_scenes, latents, picture_films, run, timed
from training.adapter_scenes import timed_scene_of
from training.picture_films import timed_example
from training.sentences import Texts, Wordings
from training.shard_folder import ShardFolder

NUM_SHARDS = 96  # the most that `training.ahead` makes by itself


class _Line:
    """A stage whose loss is least at 2."""

    def __init__(self, module: nn.Linear) -> None:
        self._module = module

    def draw(self, step: int) -> timed.Draw:
        return "line", [{"x": torch.full((1, 1), float(step + 1))}]

    def loss(self, kind: str, parts: list[dict[str, Tensor]]) -> Tensor:
        assert kind == "line"
        return (self._module(torch.ones_like(parts[0]["x"])) - 2).square().mean()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds it 10 ms later."""
    looks = count()
    monkeypatch.setattr(timed.time, "monotonic", lambda: next(looks) / 100)


def options(seconds: float) -> timed.Options:
    return timed.Options(seconds, Path(), factor=1, rate=1.0, captured=False)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("num_steps", [100, 700])
def test_the_learning_rate_falls_to_its_end_however_many_steps_there_are(
    num_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = nn.Linear(1, 1)
    optimizer = run.Matrices(module, muon_lr=0.05, adamw_lr=0.05)
    fractions: list[float] = []
    step = optimizer.step

    def spied(fraction: float) -> None:
        fractions.append(fraction)
        step(fraction)

    monkeypatch.setattr(optimizer, "step", spied)
    monkeypatch.setattr(timed, "WARMUP_STEPS", 5)
    kept: list[float] = []
    timed.train(
        module,
        optimizer,
        _Line(module),
        options(num_steps / 100),
        keep=lambda average: kept.append(float(sum(one.sum() for one in average.weights.values()))),
    )
    assert fractions[5:] == sorted(fractions[5:], reverse=True)
    assert fractions[-1] < 0.05  # a curve that was cut would end higher
    assert kept[-1] == pytest.approx(2, abs=0.1)  # weight and bias of what gives 2


@pytest.mark.usefixtures("clock")
def test_a_loss_that_is_not_finite_is_refused() -> None:
    module = nn.Linear(1, 1)
    nn.init.constant_(module.weight, math.inf)
    optimizer = run.Matrices(module, muon_lr=0.05, adamw_lr=0.05)
    with pytest.raises(FloatingPointError, match="not finite"):
        timed.train(module, optimizer, _Line(module), options(0.5), keep=lambda _: None)


def test_the_average_is_of_the_same_share_of_the_steps_however_many() -> None:
    for steps in (200, 2000):
        weights = torch.zeros(steps, dtype=torch.float64)
        for step in range(steps):
            keep = timed.averaging(step)
            weights *= keep
            weights[step] += 1 - keep
        assert weights.sum().item() == pytest.approx(1)
        last = weights[-steps // 10 :].sum().item()
        assert last == pytest.approx(1 - 0.9**timed.AVERAGING, abs=0.01)


def test_shards_are_made_once_and_read_in_order(tmp_path: Path) -> None:
    made: list[int] = []

    def encoded(number: int) -> dict[str, Tensor]:
        made.append(number)
        return {"number": torch.tensor(number)}

    for number in (2, 0, 2):
        ShardFolder(tmp_path, encoded).make(number)
    folder = ShardFolder(tmp_path, encoded)
    assert [int(shard["number"]) for shard in folder.there()] == [0, 2]
    assert [int(shard["number"]) for shard in folder.first(3)] == [0, 1, 2]
    assert made == [2, 0, 1]


def test_no_scenes_and_no_time_left_is_said(tmp_path: Path) -> None:
    folder = further_scenes.SceneFolder(lambda: pytest.fail("asked for the VAE"), tmp_path)
    arriving = timed.Arriving(folder, ends_at=-math.inf)
    with pytest.raises(RuntimeError, match=r"training\.ahead"):
        arriving()


def test_a_drawn_wording_is_one_of_its_example_s_own() -> None:
    rows = {"": 0.0}
    for text in ("remove it", "delete it", "make it sepia"):
        rows[text] = float(len(rows))
    embedded = iter([[""], sorted(set(rows) - {""})])

    def embed(ids: Tensor) -> Tensor:
        texts = next(embedded)
        assert len(ids) == len(texts)
        return torch.tensor([rows[text] for text in texts]).view(-1, 1, 1)

    wordings = Wordings([["remove it", "delete it"], ["make it sepia"]], Texts(embed))
    picks = torch.tensor([0.0, 0.49, 0.5, 0.999, 0.999, 0.3])
    dropped = torch.tensor([False, False, False, False, False, True])
    found = wordings.drawn(torch.tensor([0, 0, 0, 0, 1, 1]), picks, dropped).flatten().tolist()
    names = {value: text for text, value in rows.items()}
    assert [names[value] for value in found] == [
        *("remove it", "remove it", "delete it", "delete it", "make it sepia", ""),
    ]


def test_no_seed_is_held_out_or_another_training_s() -> None:
    ends = {
        "adapter": (adapter_scenes.TIMED_SEED, adapter_scenes.SHARD),
        "further": (further_scenes.TIMED_SEED, further_scenes.SEEDS_OF_A_SHARD),
        "pictures": (picture_films.TIMED_SEED, picture_films.SHARD),
    }
    spans = sorted((first, first + NUM_SHARDS * size) for first, size in ends.values())
    starts = [first for first, _ in spans[1:]] + [scenes.HELD_OUT]
    assert all(end <= start for (_, end), start in zip(spans, starts, strict=True))
    assert sum(further_scenes.TIMED_COUNTS) <= further_scenes.SEEDS_OF_A_SHARD
    assert spans[0][0] > latents.FIRST_SEED


def test_scenes_by_time_are_edits_told_apart_by_words_and_what_is_hard() -> None:
    first = adapter_scenes.TIMED_SEED
    found = [timed_scene_of(seed) for seed in range(first, first + 32)]
    for block in range(3):
        four = [one.example for one in found[4 * block : 4 * block + 4]]
        assert all(np.array_equal(one.source, four[0].source) for one in four)
        assert len({one.instruction for one in four}) == len(four)
    assert {one.asked for one in found} >= {"plain", "reference", "ramp", "window", "pointed", "whole"}
    for seed in range(picture_films.TIMED_SEED, picture_films.TIMED_SEED + 16):
        one = timed_example(seed)
        assert one.mask_kind == "none"
        assert judge(one, one.target).hit
