"""An edit of a long clip: each window goes on from the finished frames at the end of the one before."""

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.colour_match import match_part
from reelpatch.clips.frames import Method, Size, plan_fit
from reelpatch.clips.masks import build_mask, check_time_range
from reelpatch.clips.pixels import to_bytes, to_floats
from reelpatch.clips.windows import FrameWindow
from reelpatch.errors import BadInput
from reelpatch.headless.edit import EditRequest, mask_values, read_mask
from reelpatch.headless.editor import Editor
from reelpatch.headless.finishing import Finishing
from reelpatch.headless.long_clips.identity import identity, stamp, stamps
from reelpatch.headless.long_clips.reading import FrameReader, look_through
from reelpatch.headless.long_clips.run import LongClip, run_windows
from reelpatch.headless.long_clips.store import FinishedWindow
from reelpatch.headless.recipe_runner import OnProgress
from reelpatch.headless.stills import is_still
from reelpatch.headless.video_io import Frames
from reelpatch.sampling.noise import FrameNoise

_log = logging.getLogger(__name__)


class WindowMask:
    """The mask of a long clip, read as its windows need it.

    Raises: `BadInput` for a mask that does not fit the clip, and for a time range outside it.
    """

    def __init__(self, path: Path | None, when: tuple[int, int] | None, clip: LongClip) -> None:
        self._when, self._image, self._reader = when, None, None
        num_frames, (height, width) = clip.plan.clip_frames, clip.header.size
        if when is not None:
            check_time_range(when, num_frames)
        if path is None:
            self._image = torch.ones(height, width)
        elif is_still(path) and not path.is_dir():
            self._image = read_mask(path, None)[0]
            build_mask(self._image, None, frames=1, height=height, width=width)  # refuses what does not fit
        else:
            mask = look_through(path, folder_fps=Fraction(1))
            if mask.num_frames == 1:
                self._image = read_mask(path, None)[0]
            elif (mask.num_frames, mask.size) != (clip.header.num_frames, (height, width)):
                raise BadInput(
                    f"the mask has {mask.num_frames} frames of {mask.size[1]}x{mask.size[0]}, but the clip has "
                    f"{clip.header.num_frames} of {width}x{height}: give a mask of the clip's length and size, or an image "
                    "for all of it (--mask)."
                )
            else:
                self._reader = FrameReader(path)

    def part(self, first: int, end: int) -> Tensor:
        """The mask of frames `first` to before `end`, [n, H, W]; parts begin in rising order."""
        if self._reader is not None:
            mask = mask_values(self._reader.part(first, end))
        else:
            assert self._image is not None
            mask = self._image.repeat(end - first, 1, 1)
        if self._when is not None:
            times = torch.arange(first, end)
            mask[(times < self._when[0]) | (times > self._when[1])] = 0
        return mask

    def close(self) -> None:
        """Lets go of the file."""
        if self._reader is not None:
            self._reader.close()


@dataclass(frozen=True)
class EditWindow:
    """Edits one window. Frames that the window before has finished are handed over as kept ones (mask 0)."""

    editor: Editor
    instruction: str
    references: tuple[Tensor, ...]
    mask: WindowMask | None
    finishing: Finishing
    seed: int
    size: Size | None
    fit: Method | None

    def __call__(
        self,
        pictures: Frames,
        window: FrameWindow,
        carried: Mapping[str, Tensor],
        keep: int,
        on_progress: OnProgress,
    ) -> FinishedWindow:
        """As `Work`."""
        clip, num_frames = to_floats(pictures), len(pictures)
        mask = None if self.mask is None else self.mask.part(window.first, window.first + num_frames)
        if window.overlap:
            clip[: window.overlap] = carried["pictures"].float() / 255
            mask = torch.ones(clip.shape[:3]) if mask is None else mask
            mask[: window.overlap] = 0
        finished = to_bytes(clip)
        if mask is None or bool(mask.any()):
            finished = to_bytes(self._edited(clip, mask, window, on_progress))
        tail = {"pictures": torch.from_numpy(finished[num_frames - keep :].copy())} if keep else {}
        return FinishedWindow(finished[window.overlap :], tail)

    def _edited(
        self, clip: Tensor, mask: Tensor | None, window: FrameWindow, on_progress: OnProgress
    ) -> Tensor:
        part = self.finishing.part_of(clip, mask)
        edited = self.editor.render(
            part.clip,
            self.instruction,
            mask=part.mask,
            references=self.references,
            seed=FrameNoise(self.seed, window.first_latent),
            plan=plan_fit(*part.clip.shape[:3], size=self.size, method=self.fit),
            on_progress=on_progress,
        )
        if window.overlap and self.finishing.how.match is None:
            # The model should have left these frames alone: what it did to their colours, it did to all.
            edited = match_part(edited, edited[: window.overlap], part.clip[: window.overlap])
        return part.finished(edited)


def edit_long_clip(
    request: EditRequest,
    clip: LongClip,
    editor: Editor,
    references: tuple[Tensor, ...],
    on_progress: OnProgress,
) -> None:
    """Edits a clip in windows and writes the result.

    Raises: `BadInput` as `run_windows`, and for a mask that does not fit the clip.
    """
    mask = None
    if request.mask is not None or request.when is not None:
        mask = WindowMask(request.mask, request.when, clip)
    else:
        request.finishing.check_without_mask()
    work = EditWindow(
        editor,
        request.instruction,
        references,
        mask,
        request.finishing,
        request.seed,
        request.size,
        request.fit,
    )
    run = identity(editor, clip.plan) | {
        "clip": stamp(request.clip),
        "frame rate": str(clip.fps),
        "instruction": request.instruction,
        "mask": stamp(request.mask),
        "time range": request.when,
        "references": stamps(request.references),
        "seed": request.seed,
        "size": request.size,
        "fit": request.fit,
        "finishing": asdict(request.finishing),
    }
    if mask is None:
        run_windows(clip, request.target, run, work, on_progress)
        return
    with closing(mask):
        run_windows(clip, request.target, run, work, on_progress)
