"""Scenes are functions of their seed and true to their masks; the judge passes the truth and no blur, no copy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.demo.scenes import Example

SEEDS = range(scenes.HELD_OUT + 500, scenes.HELD_OUT + 600)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [scenes.example(seed) for seed in SEEDS]


def test_a_seed_gives_the_same_scene_each_time(examples: list[Example]) -> None:
    again = scenes.example(examples[3].seed)
    assert again.instruction == examples[3].instruction
    np.testing.assert_array_equal(again.target, examples[3].target)
    assert not np.array_equal(examples[3].source, examples[4].source)


def test_nothing_changes_outside_the_mask(examples: list[Example]) -> None:
    for example in examples:
        kept = example.mask == 0
        np.testing.assert_array_equal(example.target[kept], example.source[kept])
        assert example.mask_kind == "none" or kept.any()


def test_every_edit_has_something_to_see(examples: list[Example]) -> None:
    for example in examples:
        assert np.abs(example.target - example.source).max() > 0.02, example.instruction


def test_styled_scenes_have_outlines_to_judge_by(examples: list[Example]) -> None:
    for example in examples:
        if example.kind == "style":
            gray = scenes.apply_style(example.source, "grayscale")
            things = np.abs(gray - gray[:, :, :1]).max(axis=(1, 2, 3))
            assert things.min() >= scenes.MIN_CONTRAST - 0.01, example.seed


def test_kinds_masks_and_numbers_of_things_can_be_asked_for() -> None:
    example = scenes.example(7, kind="remove", mask_kind="time", num_things=2)
    assert (example.kind, example.mask_kind, example.num_things) == ("remove", "time", 2)
    assert set(example.mask.mean(axis=(1, 2))) == {0.0, 1.0}


def test_all_words_are_in_the_vocabulary(examples: list[Example]) -> None:
    words = {word for example in examples for sentence in example.wordings for word in sentence.split()}
    assert words <= set(scenes.vocabulary())
    assert all(example.instruction in example.wordings for example in examples)


def test_the_judge_passes_the_truth_and_not_the_source(examples: list[Example]) -> None:
    assert all(judge(example, example.target).hit for example in examples)
    assert sum(judge(example, example.source).hit for example in examples) <= 2


def test_no_blurred_style_passes(examples: list[Example]) -> None:
    styled = [example for example in examples if example.kind == "style"]
    blurred = [np.stack([cv2.GaussianBlur(f, (0, 0), 1.0) for f in example.target]) for example in styled]
    hits = [judge(example, clip).hit for example, clip in zip(styled, blurred, strict=True)]
    assert len(hits) >= 10
    assert sum(hits) <= 0.1 * len(hits)


def test_recolouring_the_other_thing_too_is_a_miss() -> None:
    example = scenes.example(11, kind="recolour", mask_kind="none", num_things=2)
    flooded = example.target.copy()
    other = (np.abs(example.source - example.source[:, :1, :1]).max(axis=-1) > 0.3) & (example.region == 0)
    flooded[other] = scenes.rgb(example.value)
    assert not judge(example, flooded).hit
