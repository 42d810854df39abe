"""What a run says before work starts, while it can still be stopped."""

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from reelpatch.clips.frames import FitPlan, Method, Size, plan_fit
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice
from reelpatch.media.video_io import Video
from reelpatch.recipes import Recipe
from reelpatch.windows.window_run import CutClip

_MUCH_LARGER = 2
_log = logging.getLogger(__name__)


def announce_clip(path: Path, video: Video, duration_s: Fraction) -> None:
    """Says what was read."""
    sound = "with sound" if video.audio else "without sound"
    _log.info("%s: %.2f s at %.4g fps, %s.", path, float(duration_s), float(video.fps), sound)
    if video.times_s is not None:
        _log.info("Its frames are not shown at a fixed rate: each keeps its own time in the result.")


class LongRequest(Protocol):
    """What of a request decides how the windows of its clip are worked on."""

    @property
    def clip(self) -> Path: ...
    @property
    def size(self) -> Size | None: ...
    @property
    def fit(self) -> Method | None: ...


def window_plan(request: LongRequest, clip: CutClip, lattice: Lattice) -> FitPlan:
    """How a window of a clip is brought to size. Raises: `BadInput` as `plan_fit`."""
    plan = plan_fit(
        clip.plan.clip_frames, *clip.header.size, lattice=lattice, size=request.size, method=request.fit
    )
    return replace(plan, frames=clip.plan.windows[0].frames)


def check_crops(request: LongRequest, clip: CutClip, lattice: Lattice) -> None:
    """Of crops, whose boxes are known when their window begins and are legal themselves, what can be known before.

    Raises: `BadInput` as `plan_fit` for a length that needs fitting, and for a size that boxes would have by chance alone.
    """
    if request.size is not None and request.fit is None:
        raise BadInput(
            "a crop has a size of its own, and is brought to another by a fit: name one.", setting="fit"
        )
    side = lattice.size_multiple
    plan_fit(clip.plan.clip_frames, side, side, lattice=lattice, method=request.fit)


def announce_windows(request: LongRequest, clip: CutClip, plan: FitPlan | None) -> None:
    """Says what was read, how it is brought to size, where that is known, and how it is cut up."""
    announce_clip(request.clip, clip.header.video, clip.duration_s)
    if plan is not None:
        _log.info("%s", plan.describe())
    if len(clip.plan.windows) > 1:
        _log.info("%s", clip.plan.describe())


def warn_of_much_work(plan: FitPlan, settings: Recipe) -> None:
    """Says it where a clip is much larger than what the recipe was made for."""
    height, width = plan.size
    factor = height * width * plan.frames / (settings.height * settings.width * settings.frames)
    if factor > _MUCH_LARGER:
        _log.warning(
            "This is %.1f times the %dx%d and %d frames that the recipe was made for, and takes more than %.1f times "
            "as long: --size WxH and --frames N make it smaller.",
            factor,
            settings.width,
            settings.height,
            settings.frames,
            factor,
        )
