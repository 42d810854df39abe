"""Long clips as windows of legal length that overlap: where they lie, and how one goes over into the next."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice

FADE_FRAMES = 4  # longer, and things that move leave a ghost
_USUAL_OVERLAP = 4  # windows share one part in so many


@dataclass(frozen=True)
class FrameWindow:
    """A part of a clip that is worked on at once.

    Units: frames counted from 0. `frames` is a legal length and may reach beyond the clip, whose last frame is then
    repeated; `overlap` frames at its start are the last ones of the window before, none in the first. `first_latent` is
    where its first latent frame stands among those of the whole clip.
    """

    first: int
    frames: int
    overlap: int
    first_latent: int

    @property
    def end(self) -> int:
        """The frame after the last one worked on."""
        return self.first + self.frames


@dataclass(frozen=True)
class WindowPlan:
    """The windows of a clip of `clip_frames`, in order; each begins where a latent frame does."""

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

    def told_of_frame(self, at: int) -> str:
        """What windows do not see of a frame that is given, as a sentence; empty where all do, or those before do."""
        blind = sum(window.end <= at for window in self.windows)
        if not blind:
            return ""
        who, see = (
            ("The first window ends", "does") if blind == 1 else (f"The first {blind} windows end", "do")
        )
        return (
            f"{who} before frame {at} and {see} not see it: the clip follows it from frame {self.windows[blind].first} on. Longer "
            "windows, or an earlier frame, are seen sooner."
        )


def plan_windows(clip_frames: int, length: int, overlap: int, lattice: Lattice) -> WindowPlan:
    """As few windows of `length` frames as share at least `overlap`, spread evenly over a clip.

    All windows begin where a latent frame of the clip does, so that latent frames of overlapping windows stand for the same time.
    A clip that is no longer than a window has one.

    Raises: BadInput for a length or overlap that is not legal (4n + 1 with Wan), or leaves nothing new in a window.
    """
    per_latent, legal = lattice.frames_per_latent, lattice.legal_lengths
    if length <= per_latent or lattice.nearest_frames(length) != length:
        raise BadInput(
            f"a window of {length} frames does not fit the model, which takes {legal}: "
            f"use {max(per_latent + 1, lattice.nearest_frames(length))}.",
            setting="window_frames",
        )
    most = length - per_latent
    if lattice.nearest_frames(overlap) != overlap or not 1 <= overlap <= most:
        raise BadInput(
            f"an overlap of {overlap} frames does not fit windows of {length}: use {legal}, from 1 to {most}, such as "
            f"{usual_overlap(length, lattice)}.",
            setting="overlap",
        )
    needed = -(-(clip_frames - 1) // per_latent)  # latent frames after the first
    own = length // per_latent
    if needed <= own:
        return one_window(clip_frames, lattice)
    stride = (length - overlap) // per_latent
    last = -(-(needed - own) // stride)
    starts = [index * (needed - own) // last for index in range(last + 1)]
    windows = [FrameWindow(0, length, 0, 0)]
    for latent in starts[1:]:
        first = per_latent * latent
        windows.append(FrameWindow(first, length, windows[-1].end - first, latent))
    return WindowPlan(clip_frames, tuple(windows))


def one_window(clip_frames: int, lattice: Lattice) -> WindowPlan:
    """A clip of any length as one window."""
    return WindowPlan(clip_frames, (FrameWindow(0, lattice.frames_at_least(clip_frames), 0, 0),))


def usual_overlap(length: int, lattice: Lattice) -> int:
    """How much windows of a length share unless said otherwise: about a quarter, two latent frames at least."""
    per_latent = lattice.frames_per_latent
    quarter = (length // _USUAL_OVERLAP - 1) // per_latent * per_latent + 1
    return min(max(quarter, per_latent + 1), length - per_latent)


def join_late(overlap: int, lattice: Lattice) -> int:
    """How many of the frames that two windows share are shown as the earlier one made them: nearly all of them.

    The join lies in the middle of a latent frame, whose frames the decoder makes together: where one latent frame
    ends and the next begins, a clip changes most as it is.
    """
    per_latent = lattice.frames_per_latent
    return overlap - per_latent // 2 if overlap > per_latent else overlap


def join_early(overlap: int, lattice: Lattice) -> int:
    """As `join_late`, but as few as can be: for latents that `dissolve_latents`, which does the rest of the way."""
    return join_late(min(overlap, lattice.frames_per_latent + 1), lattice)


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

    Its first latent frame stands for one frame alone, so it stays its own.

    Shapes: before [C, m, h, w], the last ones of the window before; after and result [C, n, h, w], n >= m.
    """
    shared = before.shape[1]
    steps = torch.arange(1, shared, device=after.device).to(after) / shared
    faded = torch.lerp(before[:, 1:].to(after), after[:, 1:shared], steps.view(-1, 1, 1))
    return torch.cat([after[:, :1], faded, after[:, shared:]], dim=1)
