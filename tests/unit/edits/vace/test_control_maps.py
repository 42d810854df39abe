"""Each map on a picture whose edges are known, and how a map goes into the task that follows it."""

import cv2
import numpy as np
import pytest
import torch

from reelpatch.clips.frames import Box
from reelpatch.edits.vace.control_maps import edge, gray, layout, scribble, with_map
from reelpatch.edits.vace.tasks import Sizing, TaskMaterial, build_task
from reelpatch.errors import BadInput

# A white square on black that moves two pixels a frame.
CLIP = torch.zeros(5, 48, 64, 3)
for index, frame in enumerate(CLIP):
    frame[16:32, 16 + 2 * index : 32 + 2 * index] = 1
MASK = CLIP[..., 0].clone()


def test_gray_is_opencv_s_and_nothing_but_gray() -> None:
    clip = torch.rand(3, 16, 16, 3)
    found = gray(clip)
    expected = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.numpy()])
    assert np.abs(found[..., 0].numpy() - expected).max() < 1e-5
    assert torch.equal(found[..., 0], found[..., 2])


def test_edges_are_white_on_the_outline_and_nowhere_else() -> None:
    found = edge(CLIP)
    assert found.shape == CLIP.shape
    assert set(found.unique().tolist()) == {0.0, 1.0}
    for index, lines in enumerate(found[..., 0]):
        left = 16 + 2 * index
        assert lines[20:28, left - 2 : left + 2].amax(1).eq(1).all()
        assert not lines[20:28, left + 4 : left + 12].any()
        assert not lines[:12].any()


def test_colours_of_one_brightness_have_an_edge_between_them() -> None:
    clip = torch.empty(1, 16, 32, 3)
    clip[:, :, :16], clip[:, :, 16:] = torch.tensor([1.0, 0, 0]), torch.tensor([0.299, 0.299, 0.299])
    assert (gray(clip) - gray(clip)[0, 0, 0]).abs().max() < 1e-3
    assert edge(clip)[0, :, 14:18].any()


def test_a_scribble_is_black_on_white_thicker_than_an_edge_and_leaves_out_what_is_fine() -> None:
    found = scribble(CLIP)[..., 0]
    assert (found[:, :8] == 1).all()
    for index, lines in enumerate(found):
        left = 16 + 2 * index
        assert (lines[20:28, left - 3 : left + 3] == 0).sum(1).ge(3).all()
    speckled = CLIP.clone()
    speckled[:, 4, 4] = 1
    assert edge(speckled)[:, :8, :8].any()
    assert (scribble(speckled)[:, :8, :8] == 1).all()


def test_boxes_and_the_box_around_a_mask_are_outlined() -> None:
    found = layout(5, (48, 64), (Box(2, 2, 8, 8),), MASK)[..., 0]
    assert (found[:, 2:10, 2] == 0).all()
    for index, page in enumerate(found):
        left = 16 + 2 * index
        assert (page[16:32, left] == 0).all()
        assert (page[20:28, left + 4 : left + 12] == 1).all()
    empty = layout(2, (48, 64), (), torch.zeros(2, 48, 64))
    assert (empty == 1).all()


def test_a_map_takes_the_place_of_the_clip_inside_the_mask_alone() -> None:
    clip = torch.rand(5, 48, 64, 3)
    material = with_map("control", "gray", TaskMaterial(clip=clip, mask=MASK[:1]))
    built = build_task("control", material, Sizing(5, (48, 64))).input
    inside = MASK[:1].expand(5, -1, -1) > 0.5
    assert torch.equal(built.clip[~inside], clip[~inside])
    assert torch.equal(built.clip[inside], gray(clip)[inside])
    assert torch.equal(built.mask, inside.float())


def test_a_map_of_boxes_uses_up_mask_and_boxes() -> None:
    material = with_map("control", "box", TaskMaterial(clip=CLIP, mask=MASK, boxes=(Box(0, 0, 4, 4),)))
    built = build_task("control", material, Sizing(5, (48, 64))).input
    assert (built.mask == 1).all()
    assert set(built.clip.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("task", "kind", "given", "words"),
    [
        ("control", "depth", {"clip": CLIP}, "no control map 'depth'"),
        ("inpaint", "edge", {"clip": CLIP}, "'inpaint' follows no control map"),
        ("control", "box", {"clip": CLIP}, "needs some"),
        ("control", "box", {"clip": CLIP, "boxes": (Box(40, 0, 40, 4),)}, "does not lie in"),
        ("control", "edge", {"clip": CLIP, "mask": MASK[:, :8]}, "mask is 64x8"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(
    task: str, kind: str, given: dict, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        with_map(task, kind, TaskMaterial(**given))
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_without_a_clip_the_task_itself_says_what_it_needs() -> None:
    with pytest.raises(BadInput, match="needs a clip"):
        build_task("control", with_map("control", "edge", TaskMaterial()), Sizing(5, (48, 64)))
