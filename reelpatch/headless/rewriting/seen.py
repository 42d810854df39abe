"""What a language model is shown of a clip or a picture: a few frames, small enough to be sent."""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL import Image

from reelpatch.media.frame_colour import Frames
from reelpatch.media.frame_reader import FrameReader, look_through
from reelpatch.media.pictures import read_picture

NUM_FRAMES = 4
_LONGER_PX, _QUALITY = 1024, 90


@dataclass(frozen=True)
class Seen:
    """A clip, or a picture where `is_clip` is false; None for nothing that can be looked at."""

    path: Path | None
    is_clip: bool = True
    accept_damage: bool = False

    def pictures(self) -> list[bytes]:
        """JPEG files of at most 1024 pixels a side: the picture, or frames spread evenly over the clip.

        Raises: `BadInput` for what cannot be read.
        """
        if self.path is None:
            return []
        if not self.is_clip:
            return [_jpeg(read_picture(self.path).pixels)]
        header = look_through(self.path, folder_fps=Fraction(1), accept_damage=self.accept_damage)
        count = min(NUM_FRAMES, header.num_frames)
        numbers = [index * (header.num_frames - 1) // max(1, count - 1) for index in range(count)]
        reader = FrameReader(self.path, accept_damage=self.accept_damage)
        try:
            return [_jpeg(reader.part(number, number + 1)[0]) for number in numbers]
        finally:
            reader.close()


def _jpeg(pixels: Frames) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((_LONGER_PX, _LONGER_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=_QUALITY)
    return file.getvalue()
