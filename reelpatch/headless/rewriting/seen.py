"""What a language model is shown of a clip or a picture: a few frames, small enough to be sent."""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL import Image

from reelpatch.media.frame_colour import Frames
from reelpatch.media.frame_reader import FrameReader, look_through
from reelpatch.media.pictures import read_picture
from reelpatch.recipes.rewriting import LONGER_PX, shown_frames

_QUALITY = 90


@dataclass(frozen=True)
class Seen:
    """A clip, or a picture where `is_clip` is false; None for nothing that can be looked at.

    Of a clip, the first `num_frames` are what is worked on; None for all of it, which has to be read to be counted.
    """

    path: Path | None
    is_clip: bool = True
    accept_damage: bool = False
    num_frames: int | None = None

    def pictures(self) -> list[bytes]:
        """JPEG files of at most 1024 pixels a side: the picture, or frames spread evenly over the clip.

        Raises: `BadInput` for what cannot be read.
        """
        if self.path is None:
            return []
        if not self.is_clip:
            return [_jpeg(read_picture(self.path).pixels)]
        num_frames = self.num_frames
        if num_frames is None:
            header = look_through(self.path, folder_fps=Fraction(1), accept_damage=self.accept_damage)
            num_frames = header.num_frames
        reader = FrameReader(self.path, accept_damage=self.accept_damage)
        try:
            return [_jpeg(reader.part(number, number + 1)[0]) for number in shown_frames(num_frames)]
        finally:
            reader.close()


def _jpeg(pixels: Frames) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((LONGER_PX, LONGER_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=_QUALITY)
    return file.getvalue()
