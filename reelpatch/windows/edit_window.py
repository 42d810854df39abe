"""An edit of one window of a long clip: it goes on from the finished frames at the end of the window before."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.colour_match import match_part
from reelpatch.clips.crop import CropPlan, crop
from reelpatch.clips.frames import FitPlan, Method, Size, plan_fit
from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.worked_clip import Finishing
from reelpatch.families.lattice import Lattice
from reelpatch.media.mask_file import WindowMask
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise
from reelpatch.windows.plan_windows import FrameWindow, join_late, without_step
from reelpatch.windows.window_run import WindowJob
from reelpatch.windows.window_store import FinishedWindow


class Render(Protocol):
    """How a host edits one window: instruction, models and references are its own."""

    def __call__(
        self,
        clip: Tensor,
        *,
        mask: Tensor | None,
        seed: int | FrameNoise,
        plan: FitPlan,
        on_progress: OnProgress,
    ) -> Tensor:
        """The edited clip as the model made it. Shapes: clip and result [F, H, W, 3], mask [F, H, W], in [0, 1]."""
        ...


class RenderFirst(Protocol):
    """How a host edits the first window, where that differs from the others."""

    def __call__(
        self,
        clip: Tensor,
        *,
        mask: Tensor | None,
        seed: int | FrameNoise,
        plan: FitPlan,
        first_frame: Tensor | None,
        on_progress: OnProgress,
    ) -> Tensor:
        """As `Render`. Shapes: first_frame [H, W, 3] in [0, 1], frame 0 as it is to become, beside the source's own."""
        ...


@dataclass(frozen=True)
class EditWindow:
    """Edits one window. Frames that the window before has finished are handed over as kept ones (mask 0).

    The last of them are then shown as this window decodes them: see `join_late`. Windows keep the frame that is `given` where
    they have it, and the first is edited by `first` where there is one. `on_crop` is told of the boxes that a window is worked on in, and how they are fitted, before it is.
    """

    render: Render
    mask: WindowMask | None
    finishing: Finishing
    seed: int
    size: Size | None
    fit: Method | None
    lattice: Lattice
    given: GivenFrame | None = None
    on_crop: Callable[[CropPlan, FitPlan], None] = lambda _crop, _plan: None
    first: RenderFirst | None = None

    def __call__(self, job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
        """As `Work`."""
        window, keep = job.window, job.keep
        clip, num_frames = to_floats(job.pictures), len(job.pictures)
        mask = None if self.mask is None else self.mask.part(window.first, window.first + num_frames)
        if window.overlap:
            clip[: window.overlap] = job.carried["pictures"].float() / 255
            mask = torch.ones(clip.shape[:3]) if mask is None else mask
            mask[: self._joined(window.overlap)] = 0
        given = self._given_in(window, num_frames)
        if given is not None and not given.is_beside:
            clip, mask = given.put(clip, mask, begins=window.first)
        if mask is None or bool(mask[window.overlap :].any()):
            clip = self._edited(clip, mask, job, on_progress)
        if given is not None and not given.is_beside:
            clip = given.without_lead(clip, begins=window.first)
        finished = to_bytes(clip)
        if given is not None and given.is_beside:
            finished[0] = to_bytes(given.picture)
        tail = {"pictures": torch.from_numpy(finished[num_frames - keep :].copy())} if keep else {}
        return FinishedWindow(
            finished[self._joined(window.overlap) : num_frames - keep + self._joined(keep)], tail
        )

    def _given_in(self, window: FrameWindow, num_frames: int) -> GivenFrame | None:
        """The given frame, where it is in the window; among those that the window before made, it is held there already."""
        given = self.given
        if given is None or not 0 <= given.at - window.first < num_frames:
            return None
        return replace(given, held=1) if given.at - window.first < window.overlap else given

    def _joined(self, overlap: int) -> int:
        return join_late(overlap, self.lattice)

    def _edited(self, clip: Tensor, mask: Tensor | None, job: WindowJob, on_progress: OnProgress) -> Tensor:
        part, overlap = self.finishing.part_of(clip, mask, self.lattice), job.window.overlap
        plan = plan_fit(*part.clip.shape[:3], lattice=self.lattice, size=self.size, method=self.fit)
        if part.crop is not None:
            self.on_crop(part.crop, plan)
        kept = part.mask
        if overlap and kept is not None:
            kept = torch.cat([torch.zeros_like(kept[:overlap]), kept[overlap:]])
        seed = job.noise(self.seed)
        if self.first is not None and job.number == 0:
            beside = self._beside(len(clip), part.crop)
            edited = self.first(
                part.clip, mask=kept, seed=seed, plan=plan, first_frame=beside, on_progress=on_progress
            )
        else:
            edited = self.render(part.clip, mask=kept, seed=seed, plan=plan, on_progress=on_progress)
        if overlap and self.finishing.how.match is None:
            # The model should have left these frames alone: what it did to their colours, it did to all.
            edited = match_part(edited, edited[:overlap], part.clip[:overlap])
            # In a box that follows the mask, what stands still moves.
            if part.crop is None:
                edited = without_step(edited, part.clip[: self._joined(overlap)])
        return part.finished(edited)

    def _beside(self, num_frames: int, boxes: CropPlan | None) -> Tensor | None:
        """The given frame as the first window is shown it beside the source's own, in the box of frame 0 where there are boxes."""
        if self.given is None or not self.given.is_beside:
            return None
        picture = self.given.picture
        return picture if boxes is None else crop(picture.expand(num_frames, -1, -1, -1), boxes)[0]
