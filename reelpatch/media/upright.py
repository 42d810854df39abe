"""Which way up a picture is shown: turns of 90 degrees and mirrorings, as display matrices of files ask for them."""

from dataclasses import dataclass

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

_MATRIX_NUMBERS = 9


@dataclass(frozen=True)
class Upright:
    """What is done to a stored picture: first its sides are swapped (about the main diagonal), then it is mirrored."""

    swaps_sides: bool = False
    mirrors_x: bool = False
    mirrors_y: bool = False

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A stored picture [H, W, C] as it is shown."""
        shown = image.swapaxes(0, 1) if self.swaps_sides else image
        return shown[:: -1 if self.mirrors_y else 1, :: -1 if self.mirrors_x else 1]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) as shown, of that as stored."""
        return (width, height) if self.swaps_sides else (height, width)


def upright_of(frame: VideoFrame) -> Upright:
    """What the file of a decoded frame says of it; what is turned by another angle takes the nearest of 90 degrees."""
    try:
        data = frame.side_data.get(Type.DISPLAYMATRIX.name)
    except ValueError:  # beside it stands data of a kind that PyAV does not know
        return _turned(frame.rotation)
    if data is None:
        return Upright()
    numbers = np.frombuffer(bytes(data), np.int32)
    if len(numbers) < _MATRIX_NUMBERS:
        return Upright()
    # A stored point (x, y) is shown at (a x + c y, b x + d y), but for a shift.
    a, b, c, d = (int(numbers[index]) for index in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Upright(swaps_sides=True, mirrors_x=c < 0, mirrors_y=b < 0)
    return Upright(mirrors_x=a < 0, mirrors_y=d < 0)


def _turned(degrees: float) -> Upright:
    """FFmpeg counts counter-clockwise."""
    quarter = round(degrees / 90) % 4
    return (
        Upright(),
        Upright(swaps_sides=True, mirrors_y=True),
        Upright(mirrors_x=True, mirrors_y=True),
        Upright(swaps_sides=True, mirrors_x=True),
    )[quarter]
