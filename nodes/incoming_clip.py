"""A clip in any of the forms that links carry: VIDEO, IMAGE, or the clip of a Clip node."""

from fractions import Fraction
from typing import Any, NamedTuple

from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.frames import check_clip
from reelpatch.clips.shown_beside import Measures
from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.errors import BadInput

from .sockets import WORKED_CLIP

FORMS = [io.Video, io.Image, WORKED_CLIP]


class IncomingClip(NamedTuple):
    """Frames [F, H, W, 3] in [0, 1]; the rate is None where the form has none."""

    frames: Tensor
    fps: Fraction | None
    sound: Any

    @property
    def measures(self) -> Measures:
        """Its length, size and rate."""
        num_frames, height, width, _ = self.frames.shape
        return Measures(num_frames, (height, width), self.fps)


def frames_of(value: Any) -> IncomingClip:
    """The frames that a clip has: of a Clip node, those of its source. Raises: BadInput for what is no clip."""
    if isinstance(value, WorkedClip):
        return IncomingClip(value.source, value.fps, value.sound)
    if isinstance(value, Tensor):
        check_clip(value)
        return IncomingClip(value, None, None)
    components = value.get_components()
    # Decoded to float, colours can lie a little outside what a screen shows; NaN stays, and is refused.
    frames = components.images.clamp(0, 1)
    check_clip(frames)
    return IncomingClip(frames, Fraction(components.frame_rate), components.audio)


def pair_of(before: Any, after: Any) -> tuple[IncomingClip, IncomingClip]:
    """Both clips. Raises: BadInput where they differ in length or size."""
    first, second = frames_of(before), frames_of(after)
    if first.frames.shape != second.frames.shape:
        raise BadInput(
            f"before has {first.measures.describe()} and after {second.measures.describe()}: connect two clips of one length "
            "and size, such as clip of Clip and frames of Finish clip."
        )
    return first, second
