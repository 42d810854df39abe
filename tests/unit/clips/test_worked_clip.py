"""What a task's clip gives back: what is kept as it was laid out, and never what only stands in."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.vace.context import GRAY
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

CLIP = torch.rand(5, 32, 48, 3) * 0.4  # never gray
HOLE = torch.zeros(5, 32, 48)
HOLE[1:, 8:24, 8:24] = 1
LAID_OUT = torch.where(HOLE[..., None] > 0, GRAY, CLIP)
WHITE = torch.ones_like(CLIP)


def working() -> WorkedClip:
    return replace(WorkedClip.of(LAID_OUT, Fraction(8), method=None, lattice=WAN.lattice), made_up=HOLE)


def test_what_is_kept_comes_back_without_a_mask() -> None:
    made = working().finished(WHITE)
    assert torch.equal(made[HOLE == 0], CLIP[HOLE == 0])
    assert (made[HOLE == 1] == 1).all()


def test_a_soft_mask_blends_with_the_clip_and_never_with_gray() -> None:
    soft = torch.nn.functional.avg_pool2d(HOLE[:, None], 5, 1, 2)[:, 0]
    made = working().finished(WHITE, soft)
    assert (made[HOLE == 1] == 1).all()
    edge = (soft > 0) & (HOLE == 0)
    expected = torch.lerp(CLIP[edge], WHITE[edge], soft[edge][:, None])
    torch.testing.assert_close(made[edge], expected)
    assert torch.equal(made[soft == 0], CLIP[soft == 0])


def test_an_edited_clip_without_a_task_is_handed_on_whole() -> None:
    assert torch.equal(
        WorkedClip.of(CLIP, Fraction(8), method=None, lattice=WAN.lattice).finished(WHITE), WHITE
    )


def test_a_mask_that_keeps_nothing_of_the_edit_is_refused() -> None:
    with pytest.raises(BadInput, match="0 everywhere"):
        WorkedClip.of(CLIP, Fraction(8), method=None, lattice=WAN.lattice).finished(WHITE, HOLE * 0)
