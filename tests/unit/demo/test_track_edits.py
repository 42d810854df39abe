"""The demo's own weights edit where and when a mask track says, from file to file."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.track_edits import KINDS, tracked
from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video


def test_an_edit_that_starts_within_the_clip(tmp_path: Path) -> None:
    """Frames 0 to 4 are the source bit for bit; the edit is done in the others, and the source copied would not be it."""
    example = scenes.example(scenes.HELD_OUT + 20_000, kind="style", mask_kind="none")
    mask = example.mask.copy()
    mask[:5] = 0
    example = replace(example, mask=mask)
    source = to_bytes(torch.from_numpy(example.source))
    write_video(Video(source, Fraction(scenes.FPS)), tmp_path / "clip.mkv")
    track = {"mask_track": 1, "units": "fractions", "times": "seconds"}
    track |= {"regions": [{"shape": {"kind": "whole"}, "envelope": {"start": "5/8"}}]}
    (tmp_path / "track.json").write_text(json.dumps(track))
    arguments = ["edit", tmp_path / "clip.mkv", example.instruction, "--mask", tmp_path / "track.json"]
    assert main([str(one) for one in (*arguments, "--output", tmp_path / "x.mkv")]) == DONE
    result = read_video(tmp_path / "x.mkv", folder_fps=Fraction(1)).frames
    assert np.array_equal(result[:5], source[:5])
    assert judge(example, to_floats(result).numpy()).hit
    assert not judge(example, example.source).hit


@pytest.mark.parametrize("kind", KINDS)
def test_the_scenes_of_the_benchmark_ask_for_something(kind: str) -> None:
    """Its masks are neither empty nor full, its truths pass and its sources do not."""
    for seed in range(scenes.HELD_OUT + 10_000, scenes.HELD_OUT + 10_004):
        example = tracked(seed, kind)
        assert 0 < (example.mask > 0.5).mean() < 1
        assert judge(example, example.target).hit
        assert not judge(example, example.source).hit
