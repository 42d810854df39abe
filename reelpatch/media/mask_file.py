"""Masks in files: read whole, or part by part for the windows of a long clip."""

from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.frames import Size
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.masks import build_mask, check_time_range
from reelpatch.media.frame_reader import ClipHeader, FrameReader
from reelpatch.media.mask_clip import FileMask
from reelpatch.media.mask_track_file import TrackMask, is_track

UNEDITED = "The mask track is empty everywhere in this clip: the source is given back as it was."


def open_mask(
    path: Path, asked: AskedMask, size: Size, lengths: tuple[int, ...], moments: Moments
) -> FileMask | TrackMask:
    """The mask of a picture, a clip or a folder, or of a mask track; `moments` are those of the clip it belongs to.

    Raises: `BadInput` as `FileMask` and `TrackMask`.
    """
    if is_track(path):
        return TrackMask(path, asked, size=size, moments=moments)
    return FileMask(path, asked, size=size, lengths=lengths, fps=moments.fps)


def check_cover(path: Path, cover: Cover, asked: AskedMask) -> None:
    """A mask has to edit something; one of pictures may not look misread either. Raises: `BadInput` as `Cover.check`."""
    if is_track(path):
        cover.check_any()
    else:
        cover.check(asked)


def read_mask(
    path: Path,
    asked: AskedMask,
    *,
    size: Size,
    lengths: tuple[int, ...],
    fps: Fraction | None = None,
    times_s: tuple[Fraction, ...] | None = None,
) -> tuple[Tensor, str]:
    """The mask of a file, [F, H, W], one frame for an image, and a sentence that says what was taken for it.

    Units: the first of the `lengths` that fit is the clip's, which has `fps` and `times_s` as `Moments` has them.
    Raises: `BadInput` as `open_mask`.
    """
    mask = open_mask(path, asked, size, lengths, Moments(lengths[0], fps, times_s))
    return torch.stack(list(mask.frames())), mask.describe()


class WindowMask:
    """The mask of a long clip, of whose frames `num_frames` are edited, handed out as its windows need it.

    `where` is a file, read part by part as `asked`, or a mask [1 or F, H, W]; None is all of the picture. `when` = (first,
    last) frame limits it in time.
    Raises: `BadInput` for a mask that does not fit the clip or edits nothing, and for a time range outside it.
    """

    def __init__(
        self,
        where: Path | Tensor | None,
        when: tuple[int, int] | None,
        clip: ClipHeader,
        num_frames: int,
        asked: AskedMask = AskedMask(),
    ) -> None:
        self._when, self._frames, self._reader, self._words = when, torch.ones(1, *clip.size), None, ""
        self.is_empty = False  # as only a track may be
        if when is not None:
            check_time_range(when, num_frames)
        if where is None:
            return
        if isinstance(where, Path):
            self._open(where, clip, num_frames, asked)
            return
        height, width = clip.size
        # Refuses what does not fit.
        build_mask(where, None, frames=1 if len(where) == 1 else clip.num_frames, height=height, width=width)
        self._frames = where.float()
        cover = Cover.of(self._frames).within(when, num_frames)
        cover.check_any()
        self._words = cover.describe()

    def _open(self, path: Path, clip: ClipHeader, num_frames: int, asked: AskedMask) -> None:
        moments = Moments(clip.num_frames, clip.video.fps, clip.video.times_s)
        mask = open_mask(path, asked, clip.size, (clip.num_frames, num_frames), moments)
        cover = mask.cover().within(self._when, num_frames)
        self._words, self.is_empty = f"{mask.describe()} {cover.describe()}", not cover.edited
        if not is_track(path):
            cover.check(asked)
        elif self.is_empty:
            self._words += f" {UNEDITED}"
        if mask.num_frames == 1:
            self._frames = torch.stack(list(mask.frames()))
        else:
            self._reader = FrameReader(path, (frame.numpy() for frame in mask.frames()))

    def describe(self) -> str:
        """What was taken for the mask and how much it covers; empty where it is all of the picture."""
        return self._words

    def part(self, first: int, end: int) -> Tensor:
        """The mask of frames `first` to before `end`, [n, H, W]; parts begin in rising order."""
        if self._reader is not None:
            mask = torch.from_numpy(self._reader.part(first, end))
        elif len(self._frames) == 1:
            mask = self._frames.repeat(end - first, 1, 1)
        else:
            mask = self._frames[first:end].clone()
        if self._when is not None:
            times = torch.arange(first, end)
            mask[(times < self._when[0]) | (times > self._when[1])] = 0
        return mask

    def close(self) -> None:
        """Lets go of the file."""
        if self._reader is not None:
            self._reader.close()
