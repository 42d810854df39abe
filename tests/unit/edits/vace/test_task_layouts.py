"""Each task, laid out by hand on clips small enough to look at."""

import cv2
import numpy as np
import pytest
import torch

from reelpatch.clips.frames import Box
from reelpatch.edits.vace import task_layouts as tasks
from reelpatch.edits.vace.context import GRAY
from reelpatch.edits.vace.task_layouts import Sides
from reelpatch.errors import BadInput

CLIP = torch.rand(5, 6, 8, 3) * 0.4  # never gray


def test_control_hands_the_clip_on_and_edits_all_of_it() -> None:
    built = tasks.control(CLIP)
    assert built.clip is CLIP
    assert built.mask.shape == (5, 6, 8)
    assert (built.mask == 1).all()


def test_a_masked_control_map_stays_visible_under_the_mask() -> None:
    mask = torch.rand(5, 6, 8)
    built = tasks.control(CLIP, mask)
    assert built.clip is CLIP
    assert built.mask is mask


def test_inpaint_is_gray_where_the_mask_is_above_one_half_and_keeps_the_soft_mask() -> None:
    mask = torch.zeros(5, 6, 8)
    mask[1, 2, 3], mask[1, 2, 4], mask[1, 2, 5] = 1.0, 0.51, 0.5
    built = tasks.inpaint(CLIP, mask)
    holes = torch.zeros(5, 6, 8, dtype=torch.bool)
    holes[1, 2, 3] = holes[1, 2, 4] = True
    assert (built.clip[holes] == GRAY).all()
    assert torch.equal(built.clip[~holes], CLIP[~holes])
    assert torch.equal(built.mask, mask)
    assert torch.equal(built.hard_mask, holes.float())


def test_a_box_is_filled_and_nothing_else() -> None:
    mask = tasks.box_mask(Box(top=1, left=2, height=3, width=4), (6, 8))
    assert mask.shape == (1, 6, 8)
    assert (mask[0, 1:4, 2:6] == 1).all()
    assert mask.sum() == 12


@pytest.mark.parametrize(
    ("sides", "size", "top", "left"),
    [
        (Sides(up=0.5), (9, 8), 3, 0),
        (Sides(down=0.5), (9, 8), 0, 0),
        (Sides(left=0.3), (6, 10), 0, 2),  # 2.4 pixels become 2
        (Sides(right=1), (6, 16), 0, 0),
        (Sides(0.5, 0.5, 0.25, 0.25), (12, 12), 3, 2),
    ],
)
def test_outpaint_grows_the_named_sides(sides: Sides, size: tuple[int, int], top: int, left: int) -> None:
    built = tasks.outpaint(CLIP, sides)
    assert built.clip.shape == (5, *size, 3)
    inside = torch.zeros(5, *size, dtype=torch.bool)
    inside[:, top : top + 6, left : left + 8] = True
    assert torch.equal(built.clip[inside], CLIP.reshape(-1, 3))
    assert (built.clip[~inside] == GRAY).all()
    assert torch.equal(built.mask, (~inside).float())


@pytest.mark.parametrize(("num_first", "num_last"), [(1, 0), (0, 1), (1, 1), (4, 0), (0, 4), (3, 2)])
def test_extend_keeps_both_ends_and_makes_up_the_rest(num_first: int, num_last: int) -> None:
    first, last = CLIP[:num_first], CLIP[5 - num_last :]
    built = tasks.extend(first if num_first else None, last if num_last else None, 9, (6, 8))
    assert torch.equal(built.clip[:num_first], first)
    assert torch.equal(built.clip[9 - num_last :], last)
    assert (built.clip[num_first : 9 - num_last] == GRAY).all()
    assert built.mask[:, 0, 0].tolist() == [0] * num_first + [1] * (9 - num_first - num_last) + [0] * num_last


def test_kept_frames_stay_where_they_stand() -> None:
    built = tasks.keep_frames(CLIP, [3, 0, 3])
    assert built.mask[:, 2, 2].tolist() == [0, 1, 1, 0, 1]
    assert torch.equal(built.clip[[0, 3]], CLIP[[0, 3]])
    assert (built.clip[[1, 2, 4]] == GRAY).all()


def test_a_reference_task_is_gray_everywhere() -> None:
    built = tasks.reference(5, (16, 32)).with_references([torch.rand(4, 4, 3), torch.rand(5, 5, 4)])
    assert (built.clip == GRAY).all()
    assert (built.mask == 1).all()
    assert [image.shape[0] for image in built.references] == [4, 5]


def test_move_shows_the_image_then_the_outline_on_its_way() -> None:
    image = torch.rand(40, 60, 3)
    start, end = Box(top=4, left=4, height=16, width=12), Box(top=20, left=44, height=16, width=12)
    built = tasks.move(image, start, end, 5)
    assert torch.equal(built.clip[0], image)
    assert built.mask[:, 0, 0].tolist() == [0, 1, 1, 1, 1]
    for index, (top, left) in enumerate([(4, 4), (8, 14), (12, 24), (16, 34)], 1):
        black = (built.clip[index] == 0).all(-1)
        assert black[top, left : left + 12].all()
        assert black[top : top + 16, left].all()
        assert not black[top + 4 : top + 12, left + 4 : left + 8].any()
        assert (built.clip[index][~black] == 1).all()


@pytest.mark.parametrize("box", [Box(4, 4, 16, 12), Box(0, 0, 6, 9), Box(10, 25, 20, 5), Box(3, 20, 4, 10)])
def test_the_outline_is_the_one_that_the_published_code_draws(box: Box) -> None:
    picture = np.full((30, 30, 3), 255, np.uint8)
    corners = (box.left, box.top), (box.left + box.width, box.top + box.height)
    cv2.rectangle(picture, *corners, (0, 0, 0), 2)
    built = tasks.move(torch.zeros(30, 30, 3), box, box, 2)
    assert np.array_equal(built.clip[1].numpy(), picture / 255)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Sides(left=-0.1), "'left'"),
        (lambda: Sides(up=float("nan")), "'up'"),
        (lambda: tasks.outpaint(CLIP, Sides(left=0.01)), "no side"),
        (lambda: tasks.extend(None, None, 9, (6, 8)), "nothing to extend"),
        (lambda: tasks.extend(CLIP, CLIP[:4], 9, (6, 8)), "are 9, which leaves none of 9"),
        (lambda: tasks.keep_frames(CLIP, [0, 5]), "no frame 5"),
        (lambda: tasks.keep_frames(CLIP, []), "0 of 5"),
        (lambda: tasks.keep_frames(CLIP, range(5)), "5 of 5"),
        (lambda: tasks.box_mask(Box(0, 0, 7, 8), (6, 8)), "does not lie in"),
        (lambda: tasks.box_mask(Box(0, 0, 0, 8), (6, 8)), "does not lie in"),
        (lambda: tasks.move(CLIP[0], Box(0, 0, 2, 2), Box(5, 0, 2, 2), 5), "0,5,2,2"),
    ],
)
def test_what_cannot_be_laid_out_is_refused_in_one_sentence(build, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        build()
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")
