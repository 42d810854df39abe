"""Masks in files: read whole, or part by part for the windows of a long clip."""

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.frames import Size
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask, MaskReading, read_rule
from reelpatch.clips.masks import build_mask, check_time_range
from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import ClipHeader, FrameReader, look_through
from reelpatch.media.mask_pictures import is_lossy, is_one_picture, mask_pictures


class FileMask:
    """A mask in a file, looked through once and found to fit its clip: a still, or as many frames as the clip has.

    Units: `size` = (height, width); `lengths` are the numbers of frames that fit, beside one for all.
    Raises: `BadInput` for what cannot be read or does not fit, and as `read_rule`.
    """

    def __init__(
        self,
        path: Path,
        asked: AskedMask,
        *,
        size: Size,
        lengths: tuple[int, ...],
        fps: Fraction | None = None,
    ) -> None:
        if not path.exists():
            raise BadInput(f"there is no mask {path}: check the path.", option="--mask")
        self.path, self._size, self.num_frames, self._rates = path, size, 1, ""
        if not is_one_picture(path):
            header = look_through(path, folder_fps=fps or Fraction(1))
            self.num_frames = header.num_frames
            _check_length(header, lengths, fps)
            self._rates = _rates(header, fps)
        with closing(mask_pictures(path, size)) as pictures:
            self.reading: MaskReading = read_rule(path.name, pictures, asked, is_lossy=is_lossy(path))

    def describe(self) -> str:
        """What was taken for the mask, in words."""
        one_by_one = f" Its frames are taken one by one, though it has{self._rates}." if self._rates else ""
        return f"{self.reading.describe()}{one_by_one}"

    def cover(self) -> Cover:
        """How much of the picture each of its frames covers."""
        return Cover(tuple(float((frame > 0).float().mean()) for frame in self.frames()))

    def frames(self) -> Generator[Tensor]:
        """Frame by frame, [H, W]."""
        with closing(mask_pictures(self.path, self._size)) as pictures:
            for picture in pictures:
                yield self.reading.apply(picture)


def read_mask(
    path: Path, asked: AskedMask, *, size: Size, lengths: tuple[int, ...], fps: Fraction | None = None
) -> tuple[Tensor, str]:
    """The mask of a file, [F, H, W], one frame for an image, and a sentence that says what was taken for it.

    Raises: `BadInput` as `FileMask`.
    """
    mask = FileMask(path, asked, size=size, lengths=lengths, fps=fps)
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
        lengths = (clip.num_frames, num_frames)
        mask = FileMask(path, asked, size=clip.size, lengths=lengths, fps=clip.video.fps)
        cover = mask.cover().within(self._when, num_frames)
        cover.check(asked)
        self._words = f"{mask.describe()} {cover.describe()}"
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


def _check_length(mask: ClipHeader, lengths: tuple[int, ...], fps: Fraction | None) -> None:
    if mask.num_frames == 1 or mask.num_frames in lengths:
        return
    raise BadInput(
        f"the mask has {mask.num_frames} frames but the clip has {lengths[0]}{_and(_rates(mask, fps))}: give a mask of {lengths[0]} frames, "
        "one for each, or a single image for the whole clip.",
        option="--mask",
    )


def _rates(mask: ClipHeader, fps: Fraction | None) -> str:
    """Both rates in words, where a film plays at another one than its clip."""
    own = mask.video.fps
    if fps is None or own == fps or mask.path.is_dir() or mask.num_frames == 1:
        return ""
    return f" {float(own):g} frames a second and the clip {float(fps):g}"


def _and(words: str) -> str:
    return f", and has{words}" if words else ""
