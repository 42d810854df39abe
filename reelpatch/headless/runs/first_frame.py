"""A frame of a clip, the first or another, given as an edited picture: kept, or looked at as a reference, as the recipe can."""

import logging
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.given_frame import GivenFrame, Size, check_frame_number
from reelpatch.errors import BadInput
from reelpatch.media.pictures import read_picture
from reelpatch.recipes import RECIPES, Recipe
from reelpatch.windows.plan_windows import WindowPlan

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FirstFrame:
    """What becomes of a frame that is given: the clip keeps it, or the model looks at it; neither without one."""

    kept: GivenFrame | None = None
    references: tuple[Tensor, ...] = ()


def read_first_frame(
    path: Path | None, size: Size, settings: Recipe, *, plan: WindowPlan, at: int = 0
) -> FirstFrame:
    """The picture at `path` of frame `at` of a clip of this (height, width), in its windows; says what is done with it.

    Raises: `BadInput` for a recipe that cannot follow one, a picture of another shape, a clip that has no such frame or nothing
    to follow, and as `read_picture`.
    """
    if path is None:
        return FirstFrame()
    check_can_follow(settings, at=at)
    picture = read_picture(path)
    for sentence in picture.said:
        _log.info("%s", sentence)
    is_beside = settings.canvas is not None
    given = GivenFrame.of(
        to_floats(picture.pixels), size, held=settings.held_frames, is_beside=is_beside, at=at
    )
    if settings.keeps_first_frame:
        given.check_follows(plan.clip_frames)
        told = (given.describe(path.name, settings.lattice.frames_per_latent), plan.told_of_frame(at))
        _log.info("%s", " ".join(filter(None, told)))
        return FirstFrame(given)
    check_frame_number(at, plan.clip_frames)
    _log.info(
        "%s is what the model looks at, as a reference; frame %d is made like the others.", path.name, at
    )
    return FirstFrame(references=(given.picture,))


def check_can_follow(settings: Recipe, setting: str = "first_frame", *, at: int = 0) -> None:
    """Raises: `BadInput` naming the setting, for a recipe whose clips cannot follow a first frame, or frame `at`."""
    if settings.takes_first_frame and settings.canvas is not None and at:
        raise BadInput(
            f"the recipe '{settings.name}' is shown frame 0 alone beside the source, but frame {at} was named: give frame 0, or use "
            "a recipe of the VACE kind, such as vace or vdot.",
            setting="at_frame",
        )
    if settings.takes_first_frame:
        return
    others = ", ".join(
        name for name, one in RECIPES.items() if one.edit_kind.is_instructed and one.takes_first_frame
    )
    raise BadInput(
        f"the recipe '{settings.name}' cannot follow a first frame: use one of {others}, or leave it out.",
        setting=setting,
    )
