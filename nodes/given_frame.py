"""A frame of a clip, the first or another, as it is to become, from a socket for pictures."""

import hashlib

from torch import Tensor

from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.references import on_white
from reelpatch.errors import BadInput
from reelpatch.windows.window_run import CutClip


def given_frame(image: Tensor | None, clip: CutClip, held: int, at: int = 0) -> GivenFrame | None:
    """What an edit of a clip keeps as frame `at`, shown for `held` frames; None without an image.

    Raises: `BadInput` for several pictures, and as `GivenFrame`.
    """
    if image is None:
        return None
    if len(image) != 1:
        raise BadInput(
            f"{len(image)} pictures are connected to edited_frame, which is frame {at} alone: take one of them (Image From Batch)."
        )
    given = GivenFrame.of(on_white(image[0].float().cpu()).clamp(0, 1), clip.header.size, held=held, at=at)
    given.check_follows(clip.plan.clip_frames)
    return given


def frame_stamp(given: GivenFrame | None) -> dict[str, str]:
    """What a run is known by beside its graph: the picture itself, whatever it came from; nothing without one."""
    if given is None:
        return {}
    stamp = hashlib.sha256(given.picture.contiguous().numpy().tobytes()).hexdigest()
    return {"edited frame": stamp} | ({"at frame": str(given.at)} if given.at else {})
