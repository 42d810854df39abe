"""How a clip is shown beside what was made of it, where that has another size, length or rate."""

from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor

from reelpatch.clips.cover import cover
from reelpatch.clips.frames import Size


@dataclass(frozen=True)
class Measures:
    """Of a clip. Units: `size` is (height, width) in pixels; `fps` is None where the clip has no rate."""

    num_frames: int
    size: Size
    fps: Fraction | None

    def describe(self) -> str:
        """As "9 frames of 64x48"."""
        height, width = self.size
        return f"{self.num_frames} frame{'s' * (self.num_frames != 1)} of {width}x{height}"


@dataclass(frozen=True)
class ShownBeside:
    """The frame of `before` that stands beside each one of `after`, and the size of `after` = (height, width)."""

    picks: tuple[int, ...]
    size: Size
    told: str
    """What is not as it was, in one sentence; empty where both are alike."""

    def frames(self, before: Tensor) -> Tensor:
        """All of `before` as they stand beside `after`: [F, h, w, 3] -> [len(picks), *size, 3]."""
        return cover(before[list(self.picks)], self.size) if self.told else before


def shown_beside(before: Measures, after: Measures) -> ShownBeside:
    """Frames stand beside those of the same number; at another length and rate, beside those of the same time.

    A clip of another size is scaled to cover that of `after` and cut at its centre, as VACE's tasks do with theirs.
    """
    step = Fraction(1)
    if before.fps and after.fps and before.num_frames != after.num_frames:
        step = before.fps / after.fps
    last = before.num_frames - 1
    wanted = [int(index * step + Fraction(1, 2)) for index in range(after.num_frames)]
    picks = tuple(min(one, last) for one in wanted)
    steps: list[str] = []
    if before.size != after.size:
        steps.append("scaled to cover that size, the overhang cut off")
    if step != 1:
        steps.append("the frames nearest in time")
    if picks[-1] < last:
        steps.append(f"up to frame {picks[-1]}")
    if wanted[-1] > last:
        steps.append("its last frame stands on")
    told = f"Before ({before.describe()}) is shown as after is ({after.describe()}): {'; '.join(steps)}."
    return ShownBeside(picks, after.size, told if steps else "")
