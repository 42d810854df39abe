"""What an edit reads beside its clip, and how the clip is fitted, found before weights are loaded."""

import logging
from collections.abc import Generator
from contextlib import closing, contextmanager

from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.frames import FitPlan
from reelpatch.headless.runs.announce import check_crops, window_plan
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.mask_file import WindowMask
from reelpatch.media.stills import read_still
from reelpatch.recipes import Recipe
from reelpatch.windows.window_run import CutClip

_log = logging.getLogger(__name__)


def known_plan(request: EditRequest, clip: CutClip, settings: Recipe) -> FitPlan | None:
    """How the clip is fitted; None for crops, whose sizes are not known yet. Raises: `BadInput` as `plan_fit`."""
    if request.finishing.crop_px is None:
        return window_plan(request, clip, settings.lattice)
    check_crops(request, clip, settings.lattice)
    return None


@contextmanager
def opened_mask(request: EditRequest, clip: CutClip) -> Generator[WindowMask | None]:
    """Where and when a clip is edited, None for everywhere; says what was taken for it."""
    if request.mask is None and request.when is None:
        request.finishing.check_without_mask()
        yield None
        return
    mask = WindowMask(request.mask, request.when, clip.header, clip.plan.clip_frames, request.asked_mask)
    with closing(mask):
        if request.mask is not None:
            _log.log(logging.WARNING if mask.is_empty else logging.INFO, "%s", mask.describe())
        yield mask


def read_references(request: EditRequest) -> tuple[Tensor, ...]:
    """Its pictures, [h, w, 3 | 4] in [0, 1]. Raises: `BadInput` as `read_still`."""
    return tuple(to_floats(read_still(path, setting="reference")) for path in request.references)
