"""Long clips as windows of legal length that overlap: where they lie, and how one goes over into the next."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.lattice import FRAMES_PER_LATENT, nearest_frames

SHORTEST_WINDOW = FRAMES_PER_LATENT + 1
FADE_FRAMES = FRAMES_PER_LATENT  # longer, and things that move leave a ghost
_USUAL_OVERLAP = 4  # windows share one part in so many
_HALF_LATENT = FRAMES_PER_LATENT // 2


@dataclass(frozen=True)
class FrameWindow:
    """A part of a clip that is worked on at once.

    Units: frames counted from 0. `frames` is of the form 4n + 1 and may reach beyond the clip, whose last frame is then
    repeated; `overlap` frames at its start are the last ones of the window before, none in the first.
    """

    first: int
    frames: int
    overlap: int

    @property
    def end(self) -> int:
        """The frame after the last one worked on."""
        return self.first + self.frames

    @property
    def first_latent(self) -> int:
        """Where its first latent frame stands among those of the whole clip."""
        return self.first // FRAMES_PER_LATENT


@dataclass(frozen=True)
class WindowPlan:
    """The windows of a clip of `clip_frames`, in order; each begins at a multiple of 4 frames."""

    clip_frames: int
    windows: tuple[FrameWindow, ...]

    def describe(self) -> str:
        """One sentence for the person whose clip it is."""
        length = self.windows[0].frames
        if len(self.windows) == 1:
            return f"The clip of {self.clip_frames} frames is worked on at once, as {length} frames."
        overlaps = sorted({window.overlap for window in self.windows[1:]})
        shared = f"{overlaps[0]}" if len(overlaps) == 1 else f"{overlaps[0]} to {overlaps[-1]}"
        starts = ", ".join(str(window.first) for window in self.windows[:4])
        more = ", ..." if len(self.windows) > 4 else ""
        return (
            f"The clip of {self.clip_frames} frames is worked on in {len(self.windows)} windows of {length} frames that "
            f"share {shared}, from frame {starts}{more}."
        )


def plan_windows(clip_frames: int, length: int, overlap: int) -> WindowPlan:
    """As few windows of `length` frames as share at least `overlap`, spread evenly over a clip.

    All windows begin at a multiple of 4 frames, so that latent frames of overlapping windows stand for the same time.
    A clip that is no longer than a window has one.

    Raises: BadInput for a length or overlap that is not of the form 4n + 1, or leaves nothing new in a window.
    """
    if length < SHORTEST_WINDOW or nearest_frames(length) != length:
        raise BadInput(
            f"a window of {length} frames does not fit the model, which takes 4n + 1: "
            f"use {max(SHORTEST_WINDOW, nearest_frames(length))}.",
            option="--window-frames",
        )
    most = length - FRAMES_PER_LATENT
    if nearest_frames(overlap) != overlap or not 1 <= overlap <= most:
        raise BadInput(
            f"an overlap of {overlap} frames does not fit windows of {length}: use 4n + 1, from 1 to {most}, such as "
            f"{usual_overlap(length)}.",
            option="--overlap",
        )
    needed = -(-(clip_frames - 1) // FRAMES_PER_LATENT)  # steps of 4 frames after the first frame
    own = length // FRAMES_PER_LATENT
    if needed <= own:
        return WindowPlan(clip_frames, (FrameWindow(0, FRAMES_PER_LATENT * needed + 1, 0),))
    stride = (length - overlap) // FRAMES_PER_LATENT
    last = -(-(needed - own) // stride)
    starts = [FRAMES_PER_LATENT * (index * (needed - own) // last) for index in range(last + 1)]
    windows = [FrameWindow(0, length, 0)]
    for start in starts[1:]:
        windows.append(FrameWindow(start, length, windows[-1].end - start))
    return WindowPlan(clip_frames, tuple(windows))


def usual_overlap(length: int) -> int:
    """How much windows of a length share unless said otherwise: about a quarter, 5 frames at least."""
    quarter = (length // _USUAL_OVERLAP - 1) // FRAMES_PER_LATENT * FRAMES_PER_LATENT + 1
    return min(max(quarter, SHORTEST_WINDOW), length - FRAMES_PER_LATENT)


def join_late(overlap: int) -> int:
    """How many of the frames that two windows share are shown as the earlier one made them: nearly all of them.

    The join lies in the middle of a latent frame, whose four frames the decoder makes together: where one latent frame
    ends and the next begins, a clip changes most as it is.
    """
    return overlap - _HALF_LATENT if overlap > FRAMES_PER_LATENT else overlap


def join_early(overlap: int) -> int:
    """As `join_late`, but as few as can be: for latents that `dissolve_latents`, which does the rest of the way."""
    return join_late(min(overlap, FRAMES_PER_LATENT + 1))


def without_step(part: Tensor, shared: Tensor) -> Tensor:
    """A window whose first frames should be `shared`, so that what follows them does not begin with a step.

    By what the last of them is off, pixel by pixel, the following frames are moved, less with each of `FADE_FRAMES`.

    Shapes: part and result [F, H, W, 3], shared [f, H, W, 3], f < F, all in [0, 1].
    """
    last, following = len(shared) - 1, len(part) - len(shared)
    fading = min(following, FADE_FRAMES)
    weights = 1 - torch.arange(1, fading + 1, dtype=part.dtype, device=part.device) / (fading + 1)
    moved = part.clone()
    moved[last + 1 : last + 1 + fading] += weights.view(-1, 1, 1, 1) * (shared[last].to(part) - part[last])
    return moved.clamp(0, 1)


def dissolve_latents(before: Tensor, after: Tensor) -> Tensor:
    """The latents of a window, going over from those of the window before where they overlap.

    Its first latent frame stands for one frame instead of four, so it stays its own.

    Shapes: before [C, m, h, w], the last ones of the window before; after and result [C, n, h, w], n >= m.
    """
    shared = before.shape[1]
    steps = torch.arange(1, shared, device=after.device).to(after) / shared
    faded = torch.lerp(before[:, 1:].to(after), after[:, 1:shared], steps.view(-1, 1, 1))
    return torch.cat([after[:, :1], faded, after[:, shared:]], dim=1)
