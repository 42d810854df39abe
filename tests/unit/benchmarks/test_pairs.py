"""The rules by which pairs are judged, on clips that are what their captions say."""

import math

import numpy as np
import pytest

from benchmarks.pair_schedules import main as try_schedules
from benchmarks.pairs import FIRST_SEED, KINDS, Asked, coloured, likeness, outside, shows
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.captions import caption_of

SEEDS = range(FIRST_SEED, FIRST_SEED + 30)


def clips(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    return scenes.render(asked.source), scenes.render(asked.target)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_truth_shows_what_it_is_and_not_what_it_is_not(seed: int) -> None:
    asked = Asked.of(seed)
    source, target = clips(asked)
    assert shows(source, asked.source)
    assert shows(target, asked.target)
    assert not shows(source, asked.target)
    assert not shows(np.full_like(source, 0.5), asked.source)


@pytest.mark.parametrize("seed", SEEDS)
def test_outside_the_change_the_truth_is_alike(seed: int) -> None:
    asked = Asked.of(seed)
    source, target = clips(asked)
    assert outside(asked, source, target).any()
    found = likeness(asked, source, target)
    assert found is not None
    assert found > 60 or math.isinf(found)
    noisy = target + np.random.default_rng(1).normal(0, 0.1, target.shape).astype(np.float32)
    worse = likeness(asked, source, noisy)
    assert worse is not None
    assert worse == pytest.approx(20, abs=2)


def test_every_kind_is_asked_for() -> None:
    assert {Asked.of(seed).kind for seed in SEEDS} == set(KINDS)


def test_colours_are_told_apart() -> None:
    for name in scenes.HUES:
        clip = np.full((1, 4, 4, 3), scenes.rgb(name), np.float32)
        assert coloured(clip, name).all()
        assert not any(coloured(clip, other).any() for other in scenes.HUES if other != name)


def test_captions_are_in_words_that_the_demo_knows() -> None:
    known = set(scenes.vocabulary())
    for seed in SEEDS:
        asked = Asked.of(seed)
        for scene in (asked.source, asked.target):
            words = caption_of(scene).split()
            assert set(words) <= known
            assert len(words) <= 11


def test_a_schedule_that_is_not_tried_is_named_with_those_that_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pair_schedules", "--kind", "background", "--schedule", "swap"])
    with pytest.raises(SystemExit):
        try_schedules()
    assert "--schedule 'swap' is none of 'independent', 'published'" in capsys.readouterr().err
