"""When the frames of a source clip are shown, exactly: what a mask track's times are held against."""

from dataclasses import dataclass
from fractions import Fraction

from reelpatch.clips.mask_track.records import Times
from reelpatch.errors import BadInput


@dataclass(frozen=True)
class Moments:
    """The frames of a source clip in time.

    Units: `fps` in frames per second; `times_s` is when each frame is shown where that is not at a fixed rate.
    """

    num_frames: int
    fps: Fraction | None
    times_s: tuple[Fraction, ...] | None = None

    def check(self, times: Times) -> None:
        """Raises: BadInput for seconds where there is no rate."""
        if times == "seconds" and self.fps is None:
            raise BadInput(
                "the mask track counts in seconds, but the clip has no frame rate: give the rate, or count in frames.",
                setting="fps",
            )

    def of(self, frame: int, times: Times) -> Fraction:
        """When a source frame is shown, counted from the first one in the unit of the track."""
        if times == "frames":
            return Fraction(frame)
        if self.times_s is not None:
            return self.times_s[frame]
        assert self.fps is not None
        return frame / self.fps
