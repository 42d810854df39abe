"""The tracks of docs/mask_track.md do what the page says of them."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import MaskTrack
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.mask_track.text import read_track

PAGE = (Path(__file__).parents[4] / "docs" / "mask_track.md").read_text(encoding="utf-8")
FPS = Fraction(24)


@pytest.fixture(scope="module")
def tracks() -> list[MaskTrack]:
    blocks = re.findall(r"^```json\n(\{.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [read_track(block) for block in blocks]


def drawn(track: MaskTrack, frames: list[int], size: tuple[int, int]) -> Tensor:
    renderer = TrackRenderer(track, size, Moments(96, FPS))
    return torch.stack([renderer.frame(frame) for frame in frames])


def test_there_are_three(tracks: list[MaskTrack]) -> None:
    assert len(tracks) == 3


def test_all_of_the_picture_from_a_moment_on(tracks: list[MaskTrack]) -> None:
    masks = drawn(tracks[0], [0, 35, 36, 42, 48, 95], (48, 80))
    assert masks.flatten(1).amin(1).tolist() == masks.flatten(1).amax(1).tolist() == [0, 0, 0, 0.5, 1, 1]


def test_a_box_that_follows_somebody(tracks: list[MaskTrack]) -> None:
    masks = drawn(tracks[1], [0, 47, 48, 95], (100, 200))
    assert masks[2:].max() == 0
    for mask, (x, y) in zip(masks[:2], ((40, 55), (160, 50)), strict=True):
        rows, columns = (mask > 0.5).nonzero().T
        assert (rows.float().mean() + 0.5).item() == pytest.approx(y)
        assert (columns.float().mean() + 0.5).item() == pytest.approx(x)
        assert len(set(mask.unique().tolist())) > 2


def test_a_wipe_that_leaves_the_title(tracks: list[MaskTrack]) -> None:
    masks = drawn(tracks[2], [0, 24, 48], (480, 832))
    assert masks[0].max() == 0
    assert masks[1, 0, :400].min() == 1
    assert masks[1, 0, 432:].max() == 0
    assert masks[2, 0].min() == 1
    assert masks[2, 400:460, 10:210].max() == 0
    assert masks[2].sum() == 480 * 832 - 60 * 200


def test_the_edits_of_the_page_are_json() -> None:
    (block,) = re.findall(r"^```json\n(\[.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert [set(item) for item in json.loads(block)] == [
        {"instruction", "mask"},
        {"instruction", "mask", "seed"},
    ]
