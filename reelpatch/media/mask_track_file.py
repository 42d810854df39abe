"""A mask track in a file, with the masks from elsewhere that its regions name."""

from collections.abc import Generator
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.frames import Size
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.clips.mask_track.coverage import Plane
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import MaskTrack
from reelpatch.clips.mask_track.render import TrackRenderer, regions_of_masks
from reelpatch.clips.mask_track.text import MOST_BYTES, read_track
from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import FrameReader
from reelpatch.media.mask_clip import FileMask

SUFFIX = ".json"


def is_track(path: Path) -> bool:
    """Whether a mask is given as a track, by its name."""
    return path.suffix.lower() == SUFFIX and not path.is_dir()


def track_in(path: Path) -> MaskTrack:
    """The track of a file, of which no more is read than a track may have.

    Raises: `BadInput` naming the file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(
            f"the mask track {path} cannot be read ({error.strerror}): check the path.", setting="mask"
        ) from error
    try:
        return read_track(text)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", setting=error.settings) from error


def files_of_mask(path: Path) -> list[Path]:
    """The files that a track takes masks from; none of what is no track. Raises: `BadInput` as `track_in`."""
    if not is_track(path):
        return []
    return [path.parent / shape.file for shape in regions_of_masks(track_in(path)).values() if shape.file]


class TrackMask:
    """A mask track in a file, and what a clip's masks are by it. Raises: `BadInput` for what cannot be read or does not fit."""

    def __init__(self, path: Path, asked: AskedMask, *, size: Size, moments: Moments) -> None:
        if asked.is_any:
            raise BadInput(
                "it was said how the pictures of a mask are meant, but the mask is a track, which says it itself (channel and "
                "threshold of its masks): leave that out.",
                setting=("mask_channel", "mask_threshold"),
            )
        self._path, self._track, self.num_frames = path, track_in(path), moments.num_frames
        masks = {
            index: _Frames(
                _opened(path, index, shape.file, AskedMask(shape.channel, shape.threshold), size, moments)
            )
            for index, shape in regions_of_masks(self._track).items()
        }
        self._taken = [mask.words for mask in masks.values()]
        self._renderer = TrackRenderer(self._track, size, moments, masks)

    def describe(self) -> str:
        """What the track is, in words."""
        num = len(self._track.regions)
        own = f"The mask track {self._path.name} has {num} region{'s' * (num != 1)}, with times in {self._track.times} of the clip."
        return " ".join([own, *self._taken])

    def cover(self) -> Cover:
        """How much of the picture each frame covers."""
        return Cover(tuple(float((frame > 0).float().mean()) for frame in self.frames()))

    def frames(self) -> Generator[Tensor]:
        """Frame by frame, [H, W]."""
        for number in range(self.num_frames):
            yield self._renderer.frame(number)


class _Frames:
    """The frames of a mask from elsewhere; asking for one before the last one reads it anew."""

    def __init__(self, mask: FileMask) -> None:
        self._mask, self._next = mask, 0
        self.words = mask.describe()
        self._still = torch.stack(list(mask.frames())).numpy()[0] if mask.num_frames == 1 else None
        self._reader: FrameReader | None = None

    def frame(self, number: int) -> Plane:
        """As `MaskFrames`."""
        if self._still is not None:
            return self._still
        if self._reader is None or number < self._next:
            if self._reader is not None:
                self._reader.close()
            self._reader = FrameReader(self._mask.path, (frame.numpy() for frame in self._mask.frames()))
        self._next = number
        return self._reader.part(number, number + 1)[0]


def _opened(path: Path, index: int, file: str, asked: AskedMask, size: Size, moments: Moments) -> FileMask:
    if not file:
        raise BadInput(
            f"regions[{index}] of {path} takes masks that are connected to a node, and here is none: name their file.",
            setting="mask",
        )
    return FileMask(path.parent / file, asked, size=size, lengths=(moments.num_frames,), fps=moments.fps)
