"""The first frame of a clip, as it is to become, from a socket for pictures."""

import hashlib

from torch import Tensor

from reelpatch.clips.given_frame import GivenFrame, Size
from reelpatch.clips.references import on_white
from reelpatch.errors import BadInput


def given_frame(image: Tensor | None, size: Size, num_frames: int, held: int) -> GivenFrame | None:
    """What an edit of a clip of this (height, width) and so many frames keeps, shown for `held` of them; None without an image.

    Raises: `BadInput` for several pictures, and as `GivenFrame`.
    """
    if image is None:
        return None
    if len(image) != 1:
        raise BadInput(
            f"{len(image)} pictures are connected to edited_frame, which is frame 0 alone: take one of them (Image From Batch)."
        )
    given = GivenFrame.of(on_white(image[0].float().cpu()).clamp(0, 1), size, held=held)
    given.check_follows(num_frames)
    return given


def frame_stamp(given: GivenFrame | None) -> dict[str, str]:
    """What a run is known by beside its graph: the picture itself, whatever it came from; nothing without one."""
    if given is None:
        return {}
    return {"edited frame": hashlib.sha256(given.picture.contiguous().numpy().tobytes()).hexdigest()}
