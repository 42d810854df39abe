"""The first frame of a clip, given as an edited picture: kept, or looked at as a reference, as the recipe can."""

import logging
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.given_frame import GivenFrame, Size
from reelpatch.errors import BadInput
from reelpatch.media.pictures import read_picture
from reelpatch.recipes import RECIPES, Recipe

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FirstFrame:
    """What becomes of a first frame that is given: the clip keeps it, or the model looks at it; neither without one."""

    kept: GivenFrame | None = None
    references: tuple[Tensor, ...] = ()


def read_first_frame(path: Path | None, size: Size, settings: Recipe, *, num_frames: int) -> FirstFrame:
    """The picture at `path` for a clip of this (height, width) and so many frames; says what is done with it.

    Raises: `BadInput` for a recipe that cannot follow one, a picture of another shape, a clip that has nothing to follow, and
    as `read_picture`.
    """
    if path is None:
        return FirstFrame()
    check_can_follow(settings)
    picture = read_picture(path)
    for sentence in picture.said:
        _log.info("%s", sentence)
    is_beside = settings.canvas is not None
    given = GivenFrame.of(to_floats(picture.pixels), size, held=settings.held_frames, is_beside=is_beside)
    if settings.keeps_first_frame:
        given.check_follows(num_frames)
        _log.info("%s", given.describe(path.name))
        return FirstFrame(given)
    _log.info("%s is what the model looks at, as a reference; frame 0 is made like the others.", path.name)
    return FirstFrame(references=(given.picture,))


def check_can_follow(settings: Recipe, setting: str = "first_frame") -> None:
    """Raises: `BadInput` naming the setting, for a recipe whose clips cannot follow a first frame."""
    if settings.takes_first_frame:
        return
    others = ", ".join(
        name for name, one in RECIPES.items() if one.edit_kind.is_instructed and one.takes_first_frame
    )
    raise BadInput(
        f"the recipe '{settings.name}' cannot follow a first frame: use one of {others}, or leave it out.",
        setting=setting,
    )
