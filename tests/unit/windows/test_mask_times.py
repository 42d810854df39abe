"""Who obeys the times of a mask: the model, or the result alone."""

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.masks import over_all_frames
from reelpatch.clips.worked_clip import Finishing
from reelpatch.families.wan.family import WAN
from reelpatch.progress import silent
from reelpatch.windows.edit_window import EditWindow
from reelpatch.windows.plan_windows import FrameWindow, join_late
from reelpatch.windows.window_run import WindowJob

FRAMES, SIZE, OVERLAP = 9, (16, 16), 5


class Model:
    """Makes everything white, and keeps what it was told."""

    def __init__(self) -> None:
        self.masks: list[Tensor | None] = []

    def __call__(self, clip: Tensor, *, mask: Tensor | None, **_: Any) -> Tensor:
        self.masks.append(mask)
        return torch.ones_like(clip)


class Where:
    """A mask as windows are handed it: a column that moves on by a pixel each frame, from `start` on."""

    def __init__(self, start: int = 0, end: int = 100) -> None:
        self._times = range(start, end)

    def part(self, first: int, end: int) -> Tensor:
        mask = torch.zeros(end - first, *SIZE)
        for frame in range(first, end):
            if frame in self._times:
                mask[frame - first, :, frame % SIZE[1]] = 1
        return mask


def gray(num_frames: int = FRAMES) -> np.ndarray:
    return np.full((num_frames, *SIZE, 3), 100, np.uint8)


def job(number: int = 0, *, carried: np.ndarray | None = None) -> WindowJob:
    overlap = 0 if carried is None else OVERLAP
    first = 0 if carried is None else FRAMES - OVERLAP
    given = {} if carried is None else {"pictures": torch.from_numpy(carried)}
    return WindowJob(
        number, gray(), FrameWindow(first, FRAMES, overlap, first // 4), MappingProxyType(given), 0
    )


def window(model: Model, where: Where | None, *, in_result: bool, **more: Any) -> EditWindow:
    return EditWindow(
        *(model, where, Finishing(), 0, None, None, WAN.lattice), times_in_result=in_result, **more
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("in_result", [False, True])
def test_the_result_is_edited_where_and_when_the_mask_says_either_way(in_result: bool) -> None:
    model, where = Model(), Where(start=3)
    result = window(model, where, in_result=in_result)(job(), silent).pictures
    mask = where.part(0, FRAMES).bool().numpy()
    assert (result[mask] == 255).all()
    assert (result[~mask] == 100).all()
    (told,) = model.masks
    assert told is not None
    expected = over_all_frames(where.part(0, FRAMES)) if in_result else where.part(0, FRAMES)
    assert torch.equal(told, expected)


def test_where_without_when_covers_all_places_in_all_frames() -> None:
    everywhere = over_all_frames(Where(start=3).part(0, FRAMES))
    assert everywhere.shape == (FRAMES, *SIZE)
    assert torch.equal(everywhere[0], everywhere[-1])
    assert everywhere[0, 0].tolist() == [0.0] * 3 + [1.0] * 6 + [0.0] * 7


def test_a_window_goes_on_from_frames_that_were_edited() -> None:
    carried = np.full((OVERLAP, *SIZE, 3), 200, np.uint8)
    model = Model()
    result = window(model, Where(), in_result=True)(job(1, carried=carried), silent).pictures
    (told,) = model.masks
    assert told is not None
    assert not told[:OVERLAP].any()
    assert torch.equal(told[OVERLAP], over_all_frames(Where().part(4, 13))[0])
    assert len(result) == FRAMES - join_late(OVERLAP, WAN.lattice)


def test_frames_in_which_nothing_was_edited_yet_do_not_say_that_nothing_changes() -> None:
    model = Model()
    where = Where(start=FRAMES)
    result = window(model, where, in_result=True)(job(1, carried=gray(OVERLAP)), silent).pictures
    (told,) = model.masks
    assert told is not None
    assert torch.equal(told, over_all_frames(where.part(4, 13)))
    first = FRAMES - OVERLAP + join_late(OVERLAP, WAN.lattice)  # of the frames that this window shows
    assert (result[: FRAMES - first] == 100).all()
    assert (result[FRAMES - first, :, FRAMES] == 255).all()


def test_a_window_without_an_edit_is_the_source_without_work() -> None:
    model = Model()
    result = window(model, Where(start=50), in_result=True)(job(), silent).pictures
    assert not model.masks
    assert (result == 100).all()


def test_a_given_frame_stays_what_the_model_goes_on_from() -> None:
    model, picture = Model(), torch.zeros(*SIZE, 3)
    given = GivenFrame(picture, 1)
    result = window(model, Where(), in_result=True, given=given)(job(), silent).pictures
    (told,) = model.masks
    assert told is not None
    assert not told[0].any()
    assert told[1:].any()
    assert (result[0] == 0).all()


def test_without_a_mask_nothing_differs() -> None:
    model = Model()
    result = window(model, None, in_result=True)(job(), silent).pictures
    assert model.masks == [None]
    assert (result == 255).all()
    assert len(result) == FRAMES
