"""Scenes for editing in context say what they mean; the judge passes the truth, and no copy, no jump, no way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.context_judge import judge_in_context, progress
from reelpatch.headless.demo.context_scenes import Asked, ContextExample, context_example, faded
from training.adapter_scenes import TURNS, scene_of
from training.words import MAX_TOKENS, encode

FIRST = scenes.HELD_OUT + 700
ALL: tuple[Asked, ...] = ("plain", "ramp", "window", "pointed", "whole", "continued", "reference")


def some(asked: Asked, count: int = 24) -> list[ContextExample]:
    return [context_example(FIRST + number, asked) for number in range(count)]


@pytest.mark.parametrize("asked", ALL)
def test_a_seed_gives_the_same_scene_each_time(asked: Asked) -> None:
    one, again, other = (context_example(seed, asked) for seed in (FIRST, FIRST, FIRST + 1))
    assert again.example.instruction == one.example.instruction
    for part in ("source", "mask", "reference"):
        np.testing.assert_array_equal(getattr(one, part), getattr(again, part))
    assert not np.array_equal(one.source, other.source)


@pytest.mark.parametrize("asked", ALL)
def test_the_truth_is_done_and_the_source_is_not(asked: Asked) -> None:
    for one in some(asked):
        if asked == "continued":  # its source is edited already in part of the time
            continue
        assert judge_in_context(one, one.example.target).hit, one.example.seed
        assert not judge_in_context(one, one.example.source).hit, one.example.seed


@pytest.mark.parametrize("asked", ALL)
def test_nothing_changes_where_the_mask_is_0(asked: Asked) -> None:
    for one in some(asked, 12):
        kept = one.example.mask == 0
        np.testing.assert_array_equal(one.source[kept], one.example.target[kept])
        assert (one.mask is None) == (asked == "reference" or one.example.mask_kind == "none")


def test_every_sentence_is_in_the_vocabulary_and_short_enough() -> None:
    known = set(scenes.vocabulary())
    for asked in ALL:
        for one in some(asked, 12):
            assert one.example.instruction in one.example.wordings
            assert {word for text in one.example.wordings for word in text.split()} <= known
            assert (encode(list(one.example.wordings))[:, MAX_TOKENS - 1] <= 1).all()


def test_what_a_picture_says_no_sentence_says() -> None:
    for one in some("reference"):
        example = one.example
        said = {word for text in example.wordings for word in text.split()}
        assert not said & set(scenes.NAMED_BACKGROUNDS.get(example.value, example.value).split()[-1:])
        assert one.reference is not None
        if example.kind == "recolour":
            colour = np.asarray(scenes.rgb(example.value))
            shown = np.abs(one.reference - colour).max(axis=-1) < 0.02
        else:
            truth = scenes.paint_background(example.value)[0]
            shown = np.abs(one.reference - truth).max(axis=-1) < 1e-3
        assert shown.sum() > 100, example.seed


def test_one_of_two_things_is_pointed_at_by_the_mask_alone() -> None:
    for one in some("pointed", 12):
        assert all("it" in text.split() for text in one.example.wordings)
        assert not {*scenes.SHAPES} & set(one.example.instruction.split())
        assert 0 < one.example.mask.mean() < 0.5


def test_a_ramp_that_jumps_halfway_is_monotone_and_one_that_goes_back_is_not() -> None:
    for one in (*some("ramp", 6), *map(faded, some("ramp", 6))):
        example, mask = one.example, one.example.mask
        shares = mask.mean(axis=(1, 2))
        np.testing.assert_allclose(progress(one, example.target), shares, atol=0.05)
        assert np.all(np.diff(shares) >= 0) or np.all(np.diff(shares) <= 0)
        jump = np.where(mask[..., None] >= 0.5, one.whole, example.source)
        assert judge_in_context(one, jump).hit
        order = np.argsort(shares)
        back = example.target.copy()
        back[order[-2]] = example.source[order[-2]]  # the frame before the last step
        assert not judge_in_context(one, back).hit
        early = np.where(mask[..., None] > 0, one.whole, example.target)
        early[shares == 0] = one.whole[shares == 0]
        assert not judge_in_context(one, early).hit  # the beginning is edited too


def test_training_has_all_that_is_judged_and_none_of_its_seeds() -> None:
    drawn = [scene_of(20_000_000 + number) for number in range(4 * len(TURNS))]
    assert {one.asked for one in drawn} >= {"plain", "ramp", "window", "pointed", "reference"}
    assert all(one.example.seed < scenes.HELD_OUT for one in drawn)
    ramps = [one for one in drawn if one.asked == "ramp"]
    assert replace(ramps[0]).example.mask.min() == 0
