"""A mask that is a picture, a clip or a folder: looked through once, then read frame by frame."""

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from reelpatch.clips.frames import Size
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask, MaskReading, read_rule
from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import ClipHeader, look_through
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
            raise BadInput(f"there is no mask {path}: check the path.", setting="mask")
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


def _check_length(mask: ClipHeader, lengths: tuple[int, ...], fps: Fraction | None) -> None:
    if mask.num_frames == 1 or mask.num_frames in lengths:
        return
    raise BadInput(
        f"the mask has {mask.num_frames} frames but the clip has {lengths[0]}{_and(_rates(mask, fps))}: give a mask of {lengths[0]} frames, "
        "one for each, or a single image for the whole clip.",
        setting="mask",
    )


def _rates(mask: ClipHeader, fps: Fraction | None) -> str:
    """Both rates in words, where a film plays at another one than its clip."""
    own = mask.video.fps
    if fps is None or own == fps or mask.path.is_dir() or mask.num_frames == 1:
        return ""
    return f" {float(own):g} frames a second and the clip {float(fps):g}"


def _and(words: str) -> str:
    return f", and has{words}" if words else ""
