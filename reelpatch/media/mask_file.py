"""Masks in files: read whole, or part by part for the windows of a long clip."""

from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.masks import build_mask, check_time_range, luma
from reelpatch.clips.pixels import to_floats
from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import ClipHeader, FrameReader, look_through
from reelpatch.media.stills import is_still, read_still
from reelpatch.media.video_io import Frames, read_video

# Masks that went through a lossy codec are not quite black or white; so near to it, they are taken to be.
_MASK_NOISE = 6 / 255


def read_mask(path: Path, frames: int | None) -> Tensor:
    """The mask of a file, [F, H, W], one frame for an image; its first `frames` where the clip is cut to them.

    Raises: `BadInput` for a file that cannot be read.
    """
    if _is_image(path):
        pictures = read_still(path)[None]
    else:
        pictures = read_video(path, folder_fps=Fraction(1)).frames[:frames]
    return mask_values(pictures)


def mask_values(pictures: Frames) -> Tensor:
    """The mask that pictures [F, H, W, 3 or 4] show, [F, H, W]."""
    mask = luma(to_floats(pictures))
    mask = torch.where(mask < _MASK_NOISE, 0.0, mask)
    return torch.where(mask > 1 - _MASK_NOISE, 1.0, mask)


class WindowMask:
    """The mask of a long clip, of whose frames `num_frames` are edited, handed out as its windows need it.

    `where` is a file, read part by part, or a mask [1 or F, H, W]; None is all of the picture. `when` = (first, last)
    frame limits it in time.
    Raises: `BadInput` for a mask that does not fit the clip, and for a time range outside it.
    """

    def __init__(
        self, where: Path | Tensor | None, when: tuple[int, int] | None, clip: ClipHeader, num_frames: int
    ) -> None:
        self._when, self._frames, self._reader = when, torch.ones(1, *clip.size), None
        if when is not None:
            check_time_range(when, num_frames)
        if where is None:
            return
        height, width = clip.size
        if isinstance(where, Path):
            film = None if _is_image(where) else look_through(where, folder_fps=Fraction(1))
            if film is not None and film.num_frames > 1:
                _check_film(film, clip)
                self._reader = FrameReader(where)
                return
            where = read_mask(where, None)
        # Refuses what does not fit.
        build_mask(where, None, frames=1 if len(where) == 1 else clip.num_frames, height=height, width=width)
        self._frames = where.float()

    def part(self, first: int, end: int) -> Tensor:
        """The mask of frames `first` to before `end`, [n, H, W]; parts begin in rising order."""
        if self._reader is not None:
            mask = mask_values(self._reader.part(first, end))
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


def _is_image(path: Path) -> bool:
    return is_still(path) and not path.is_dir()


def _check_film(mask: ClipHeader, clip: ClipHeader) -> None:
    if (mask.num_frames, mask.size) == (clip.num_frames, clip.size):
        return
    raise BadInput(
        f"the mask has {mask.num_frames} frames of {mask.size[1]}x{mask.size[0]}, but the clip has {clip.num_frames} of "
        f"{clip.size[1]}x{clip.size[0]}: give a mask of the clip's length and size, or an image for all of it.",
        option="--mask",
    )
