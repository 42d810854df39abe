"""Films whose frames tell their number by their left column, so that order, loss and mirroring show."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SIDE, BLOCK = 64, 8
Image = NDArray[np.uint8]


def picture(number: int) -> Image:
    """A slope in green and red, and eight blocks for the bits of the number."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.stack([60 + 2 * x, 60 + 2 * y, 40 + 0 * x], -1).astype(np.uint8)
    for bit in range(8):
        image[bit * BLOCK : (bit + 1) * BLOCK, :BLOCK] = 235 if number >> bit & 1 else 20
    return image


def number_of(image: Image) -> int:
    return sum(int(image[bit * BLOCK + 4, 4].mean() > 128) << bit for bit in range(8))


def numbers(frames: Image) -> list[int]:
    return [number_of(image) for image in frames]


def film(
    path: Path,
    images: Sequence[Image] | None = None,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    fps: int = 25,
    times_ms: Sequence[int] | None = None,
    prepare: Callable[[Any], None] = lambda _stream: None,
) -> None:
    """Frames 0 to 8, unless others are given."""
    with av.open(path, "w") as output:
        stream: Any = output.add_stream(codec, rate=fps, options=options or {"crf": "8", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, pix_fmt
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        prepare(stream)
        for index, image in enumerate(images or [picture(number) for number in range(9)]):
            kind = "rgba" if image.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(image, format=kind).reformat(format=pix_fmt)
            frame.pts = times_ms[index] if times_ms else index
            frame.time_base = Fraction(1, 1000) if times_ms else Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def patch(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
